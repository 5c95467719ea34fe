#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>

#include "analyze/assess.h"
#include "base/arena.h"
#include "model/rules.h"

struct endpoint at(const char *address, uint16_t port)
{
	unsigned char bytes[16];
	if (inet_pton(AF_INET, address, bytes) == 1)
		return endpoint_make(AF_INET, bytes, port);
	assert_int_equal(inet_pton(AF_INET6, address, bytes), 1);
	return endpoint_make(AF_INET6, bytes, port);
}

struct world world_make(int64_t asked, int64_t dumped)
{
	struct world world = { .activity = activity_new(), .peers = peers_new() };
	struct activity *activity = world.activity;
	struct peers *peers = world.peers;
	activity->backends = arena_array(activity->arena, MOST, sizeof(struct backend));
	activity->asked_at = activity->asked_monotonic = asked;
	activity->server = (struct server_facts){
		.version = 150020,
		.max_connections = 25,
		.reserved = 3,
		.clock = asked,
		.own_pid = OWN_PID,
	};
	peers->tcp = arena_array(peers->arena, MOST, sizeof(struct tcp_socket));
	peers->unix_sockets = arena_array(peers->arena, MOST, sizeof(struct unix_socket));
	peers->owners = arena_array(peers->arena, MOST, sizeof(struct socket_owner));
	peers->processes = arena_array(peers->arena, MOST, sizeof(struct process));
	peers->dumped_at = peers->dump_began = peers->dump_ended = dumped;
	peers->tcp_known = peers->unix_known = true;
	peers->backend_started_at = START;
	peers->target = (struct peers_target){ .port = PORT, .backend_pid = OWN_PID };
	return world;
}

struct backend *world_add_backend(struct world *world, int32_t pid, struct endpoint client)
{
	struct activity *activity = world->activity;
	assert_true(activity->n_backends < MOST);
	struct backend *backend = &activity->backends[activity->n_backends++];
	*backend = (struct backend){
		.pid = pid,
		.start = START,
		.kind = BACKEND_CLIENT,
		.state = BACKEND_STATE_ACTIVE,
		.state_text = "active",
		.state_change = T0 - 10 * USEC_PER_SEC,
		.client = client,
		.user = "app",
	};
	return backend;
}

struct tcp_socket *world_add_tcp(
	struct world *world, struct endpoint local, struct endpoint remote, uint32_t inode)
{
	struct peers *peers = world->peers;
	assert_true(peers->n_tcp < MOST);
	struct tcp_socket *socket = &peers->tcp[peers->n_tcp++];
	*socket = (struct tcp_socket){
		.local = local, .remote = remote, .inode = inode, .state = TCP_ESTABLISHED
	};
	return socket;
}

struct unix_socket *world_add_unix(struct world *world, uint32_t inode, uint32_t peer)
{
	struct peers *peers = world->peers;
	assert_true(peers->n_unix < MOST);
	struct unix_socket *socket = &peers->unix_sockets[peers->n_unix++];
	*socket = (struct unix_socket){ .inode = inode, .peer = peer, .at_server = true };
	return socket;
}

struct process *world_add_owner(struct world *world, uint32_t inode, int32_t pid, const char *name)
{
	struct peers *peers = world->peers;
	assert_true(peers->n_processes < MOST);
	uint32_t i = (uint32_t)peers->n_processes++;
	peers->processes[i] = (struct process){
		.pid = pid,
		.start_ticks = (uint64_t)pid,
		.name = name,
		.started_at = INSTANT_UNKNOWN,
		.ended_at = INSTANT_UNKNOWN,
		.cpu_percent = NAN,
		.rss_bytes = -1,
	};
	peers->owners[peers->n_owners++] = (struct socket_owner){ .inode = inode, .process = i };
	return &peers->processes[i];
}

struct assessment *world_assess(
	struct world *world, const struct assessment *previous, int64_t now, bool await_logins)
{
	static const struct rules rules = { .idle = 300 * USEC_PER_SEC,
		.transaction = 300 * USEC_PER_SEC };
	static const struct server_state server = { .status = SERVER_OK, .latency = -1 };
	const struct assess_input input = {
		.activity = world->activity,
		.peers = world->peers,
		.hosts = world->hosts,
		.n_hosts = world->n_hosts,
		.server = &server,
		.rules = &rules,
		.await_logins = await_logins,
		.now = now + world->clock_step,
		.monotonic = now,
	};
	struct assessment *assessment = assess(&input, previous);
	activity_unref(world->activity);
	peers_unref(world->peers);
	return assessment;
}
