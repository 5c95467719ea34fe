#include "networks_world.h"

#include <netinet/tcp.h>
#include <string.h>

#include "base/arena.h"

struct peers_network *network(struct world *world, uint64_t id)
{
	for (size_t i = 0; i < world->peers->n_networks; i++)
		if (world->peers->networks[i].id == id)
			return &world->peers->networks[i];
	return NULL;
}

struct peers_network *add_network(struct world *world, uint64_t id, const char *address)
{
	struct peers *peers = world->peers;
	struct peers_network *added = &peers->networks[peers->n_networks++];
	*added = (struct peers_network){
		.id = id,
		.dumped = true,
		.tcp_known = true,
		.unix_known = true,
		.tcp = arena_array(peers->arena, MOST, sizeof(struct tcp_socket)),
		.unix_sockets = arena_array(peers->arena, MOST, sizeof(struct unix_socket)),
		.addresses = arena_array(peers->arena, 1, sizeof(struct endpoint)),
		.n_addresses = 1,
	};
	added->addresses[0] = at(address, 0);
	return added;
}

/* In our own namespace for OURS. */
struct tcp_socket *add_tcp(struct world *world, uint64_t id, struct endpoint local,
	struct endpoint remote, uint32_t inode)
{
	struct peers_network *other = network(world, id);
	if (!other)
		return world_add_tcp(world, local, remote, inode);
	struct tcp_socket *socket = &other->tcp[other->n_tcp++];
	*socket = (struct tcp_socket){
		.local = local, .remote = remote, .inode = inode, .state = TCP_ESTABLISHED
	};
	return socket;
}

/* Inodes are added in rising order. */
void add_owner(struct world *world, uint32_t inode, int32_t pid, int32_t inner, uint64_t pids,
	const char *name)
{
	struct process *process = world_add_owner(world, inode, pid, name);
	process->inner_pid = inner;
	process->pid_namespace = pids;
	process->network_namespace = strcmp(name, "postgres") == 0 ? SERVERS : 0;
	process->started_at = START;
}

/* Our own connection leads to a server in a namespace of its own. */
static struct world world_new(int second, bool over_unix)
{
	int64_t dumped = T0 + second * 2 * USEC_PER_SEC;
	struct world world = world_make(dumped + USEC_PER_SEC, dumped);
	struct peers *peers = world.peers;
	peers->networks = arena_array(peers->arena, MOST, sizeof(struct peers_network));
	peers->local_addresses = arena_array(peers->arena, 1, sizeof(struct endpoint));
	peers->local_addresses[0] = at("10.0.0.1", 0);
	peers->n_local_addresses = 1;
	peers->network_id = OURS;
	peers->searched_at = dumped;
	peers->all_networks = true;
	struct endpoint server = at("10.0.0.2", PORT), own = at("10.0.0.1", 40000);
	if (over_unix)
		server = own = (struct endpoint){ .family = AF_UNIX };
	peers->target.own_inode = 10;
	peers->target.own = own;
	peers->target.server = server;
	add_network(&world, SERVERS, "10.0.0.2");
	add_network(&world, APPS, "10.0.0.3");
	if (over_unix) {
		world_add_unix(&world, 11, 10);
	} else {
		add_tcp(&world, OURS, own, server, 10);
		add_tcp(&world, SERVERS, server, own, 11);
	}
	add_owner(&world, 10, 77, 77, 1, "dbtop");
	add_owner(&world, 11, 5000 + OWN_PID, OWN_PID, SERVERS_PIDS, "postgres");
	world_add_backend(&world, OWN_PID, own);
	return world;
}

static struct assessment *settle(struct world *world, struct assessment *previous)
{
	struct assessment *assessment =
		world_assess(world, previous, world->activity->asked_at, false);
	assessment_free(previous);
	return assessment;
}

/* Rounds of the same world; `build` adds to it, and gets the number of the round. */
struct assessment *observe(
	int rounds, bool over_unix, void (*build)(struct world *world, int round))
{
	struct assessment *assessment = NULL;
	for (int round = 0; round < rounds; round++) {
		struct world world = world_new(round, over_unix);
		build(&world, round);
		assessment = settle(&world, assessment);
	}
	return assessment;
}

void connect_client(struct world *world, uint64_t id, const char *address, uint16_t port,
	uint32_t inode, const char *name)
{
	add_tcp(world, id, at(address, port), at("10.0.0.2", PORT), inode);
	add_owner(world, inode, (int32_t)inode, 0, 0, name);
}

struct tcp_socket *add_server_end(
	struct world *world, const char *address, uint16_t port, uint32_t inode)
{
	return add_tcp(world, SERVERS, at("10.0.0.2", PORT), at(address, port), inode);
}
