/* analyze/join over several network namespaces: what is matched, what is proven, and what is left
 * open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>
#include <string.h>

#include "base/arena.h"
#include "world.h"

/* The namespaces' inodes. */
enum { OURS = 100, SERVERS = 200, APPS = 300, TWIN_A = 400, TWIN_B = 500, NEW = 600 };
#define SERVERS_PIDS 9

static struct peers_network *network(struct world *world, uint64_t id)
{
	for (size_t i = 0; i < world->peers->n_networks; i++)
		if (world->peers->networks[i].id == id)
			return &world->peers->networks[i];
	return NULL;
}

static struct peers_network *add_network(struct world *world, uint64_t id, const char *address)
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
static struct tcp_socket *add_tcp(struct world *world, uint64_t id, struct endpoint local,
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
static void add_owner(struct world *world, uint32_t inode, int32_t pid, int32_t inner,
	uint64_t pids, const char *name)
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

static void check(
	const struct assessment *assessment, int32_t pid, enum client_end end, const char *process)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->backend->pid != pid)
			continue;
		const struct client_process *found = assessment_process(assessment, connection);
		if (connection->end != end)
			fail_msg("%d: end %d, not %d", pid, connection->end, end);
		assert_string_equal(found ? found->process.name : "", process ? process : "");
		if (end == CLIENT_END_HELD && pid != OWN_PID)
			assert_int_equal(connection->matched_by, MATCHED_NAMESPACE);
		assert_int_equal(
			connection->verdict.reason == REASON_CLIENT_GONE, end == CLIENT_END_GONE);
		return;
	}
	fail_msg("no connection %d", pid);
}

/* Rounds of the same world; `build` adds to it, and gets the number of the round. */
static struct assessment *observe(
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

static void connect_client(struct world *world, uint64_t id, const char *address, uint16_t port,
	uint32_t inode, const char *name)
{
	add_tcp(world, id, at(address, port), at("10.0.0.2", PORT), inode);
	add_owner(world, inode, (int32_t)inode, 0, 0, name);
}

static struct tcp_socket *add_server_end(
	struct world *world, const char *address, uint16_t port, uint32_t inode)
{
	return add_tcp(world, SERVERS, at("10.0.0.2", PORT), at(address, port), inode);
}

static void places(struct world *world, int round)
{
	(void)round;
	world_add_backend(world, 1, at("10.0.0.3", 5001));  /* in the application's namespace */
	world_add_backend(world, 2, at("127.0.0.1", 5002)); /* in the server's own */
	world_add_backend(world, 3, at("10.0.0.3", 5003));  /* killed; the server's end shows it */
	world_add_backend(
		world, 4, at("10.0.0.3", 5004)); /* no socket, but the server's end is open */
	world_add_backend(world, 5, at("10.9.9.9", 5005)); /* another machine */
	world_add_backend(world, 6, at("10.0.0.2", 5006)); /* the server's own address */
	add_server_end(world, "10.0.0.3", 5003, 33)->state = TCP_CLOSE_WAIT;
	add_server_end(world, "10.0.0.3", 5004, 34);
	connect_client(world, APPS, "10.0.0.3", 5001, 41, "far");
	add_tcp(world, SERVERS, at("127.0.0.1", 5002), at("127.0.0.1", PORT), 42);
	add_owner(world, 42, 42, 0, 0, "beside");
	/* our own 127.0.0.1 is another one */
	add_tcp(world, OURS, at("127.0.0.1", 5002), at("127.0.0.1", PORT), 43);
	add_owner(world, 43, 43, 0, 0, "stranger");
	connect_client(world, SERVERS, "10.0.0.2", 5006, 44, "beside");
}

static void check_places(const struct assessment *assessment)
{
	check(assessment, OWN_PID, CLIENT_END_HELD, "dbtop");
	check(assessment, 1, CLIENT_END_HELD, "far");
	check(assessment, 2, CLIENT_END_HELD, "beside");
	check(assessment, 3, CLIENT_END_GONE, NULL);
	check(assessment, 4, CLIENT_END_UNKNOWN, NULL);
	check(assessment, 5, CLIENT_END_ELSEWHERE, NULL);
	check(assessment, 6, CLIENT_END_HELD, "beside");
}

static void each_end_is_in_its_namespace(void **state)
{
	(void)state;
	for (int over_unix = 0; over_unix < 2; over_unix++) {
		struct assessment *assessment = observe(2, over_unix, places);
		check_places(assessment);
		assessment_free(assessment);
	}
}

static void unseen_server(struct world *world, int round)
{
	places(world, round);
	world->peers->processes[1].inner_pid = 7; /* the process is not our backend */
}

/* Without the server's namespace, an address of loopback belongs to nobody, and only what was seen
 * is proven. */
static void an_unseen_server_proves_nothing(void **state)
{
	(void)state;
	struct assessment *assessment = observe(2, false, unseen_server);
	check(assessment, 1, CLIENT_END_HELD, "far");
	check(assessment, 2, CLIENT_END_ELSEWHERE, NULL);
	check(assessment, 3, CLIENT_END_UNKNOWN, NULL);
	check(assessment, 4, CLIENT_END_UNKNOWN, NULL);
	assessment_free(assessment);
}

static void twins(struct world *world, int round)
{
	add_network(world, TWIN_A, "10.7.7.7");
	add_network(world, TWIN_B, "10.7.7.7");
	world_add_backend(world, 1, at("10.7.7.7", 5001));
	world_add_backend(world, 2, at("10.7.7.7", 5002));
	add_server_end(world, "10.7.7.7", 5002, 32)->state = TCP_CLOSE_WAIT;
	if (round == 0)
		connect_client(world, TWIN_A, "10.7.7.7", 5001, 41, "twin");
}

static void an_address_of_two_namespaces_is_not_matched(void **state)
{
	(void)state;
	for (int rounds = 1; rounds <= 2; rounds++) {
		struct assessment *assessment = observe(rounds, false, twins);
		check(assessment, 1, CLIENT_END_NOT_VISIBLE, NULL);
		check(assessment, 2, CLIENT_END_NOT_VISIBLE, NULL);
		assessment_free(assessment);
	}
}

static void unread(struct world *world, int round)
{
	places(world, round);
	network(world, APPS)->tcp_known = false;
	network(world, APPS)->n_tcp = 0;
}

static void sockets_that_were_not_read_prove_nothing(void **state)
{
	(void)state;
	struct assessment *assessment = observe(2, false, unread);
	check(assessment, 1, CLIENT_END_UNKNOWN, NULL);
	check(assessment, 3, CLIENT_END_UNKNOWN, NULL);
	assessment_free(assessment);
}

/* The client's port is used again before the server has noticed that its first user is gone. */
static void reused(struct world *world, int round)
{
	(void)round;
	world_add_backend(world, 1, at("10.0.0.3", 5001));
	world_add_backend(world, 2, at("10.0.0.3", 5001));
	add_server_end(world, "10.0.0.3", 5001, 31);
	add_owner(world, 31, 5002, 2, SERVERS_PIDS, "postgres");
	connect_client(world, APPS, "10.0.0.3", 5001, 41, "second");
}

static void a_port_that_is_used_again_has_its_new_user(void **state)
{
	(void)state;
	struct assessment *assessment = observe(2, false, reused);
	check(assessment, 1, CLIENT_END_GONE, NULL);
	check(assessment, 2, CLIENT_END_HELD, "second");
	assessment_free(assessment);
}

static void reused_unseen(struct world *world, int round)
{
	reused(world, round);
	world->peers->processes[2].inner_pid = 0; /* whose socket it is cannot be told */
}

static void who_uses_a_port_again_is_left_open(void **state)
{
	(void)state;
	struct assessment *assessment = observe(2, false, reused_unseen);
	check(assessment, 1, CLIENT_END_UNKNOWN, NULL);
	check(assessment, 2, CLIENT_END_UNKNOWN, NULL);
	assessment_free(assessment);
}

/* The wall clock was set since these sessions began, but not since ours: /proc has other starts. */
static void stepped(struct world *world, int round)
{
	static const int64_t steps[] = { -3600 * USEC_PER_SEC, 3600 * USEC_PER_SEC };
	(void)round;
	for (int32_t i = 0; i < 2; i++) {
		world_add_backend(world, i + 1, at("10.0.0.3", (uint16_t)(5001 + i)));
		struct tcp_socket *end =
			add_server_end(world, "10.0.0.3", (uint16_t)(5001 + i), 31 + (uint32_t)i);
		end->state = i ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
		add_owner(world, end->inode, 5001 + i, i + 1, SERVERS_PIDS, "postgres");
		world->peers->processes[2 + i].started_at += steps[i];
	}
	connect_client(world, APPS, "10.0.0.3", 5001, 41, "far");
}

static void a_session_from_before_a_clock_step_is_judged(void **state)
{
	(void)state;
	struct assessment *assessment = observe(2, false, stepped);
	check(assessment, 1, CLIENT_END_HELD, "far");
	check(assessment, 2, CLIENT_END_GONE, NULL);
	assessment_free(assessment);
}

static bool closed, complete_view;

/* The container goes, and a new one gets its address, and by chance the same port at a server with
 * the same address. */
static void restarted(struct world *world, int round)
{
	world_add_backend(world, 1, at("10.0.0.8", 5001));
	struct tcp_socket *end = add_server_end(world, "10.0.0.8", 5001, 31);
	if (round < 2) {
		add_network(world, TWIN_A, "10.0.0.8");
		connect_client(world, TWIN_A, "10.0.0.8", 5001, 41, "first");
		return;
	}
	if (closed)
		end->state = TCP_CLOSE_WAIT;
	world->peers->all_networks = complete_view;
	add_network(world, NEW, "10.0.0.8");
	connect_client(world, NEW, "10.0.0.8", 5001, 51, "second");
}

static void a_restarted_container_is_another_one(void **state)
{
	(void)state;
	static const struct {
		bool closed, complete;
		enum client_end end;
	} cases[] = {
		{ true, true, CLIENT_END_GONE },
		{ false, true, CLIENT_END_UNKNOWN },
		{ true, false, CLIENT_END_UNKNOWN },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		closed = cases[i].closed;
		complete_view = cases[i].complete;
		struct assessment *assessment = observe(2, false, restarted);
		check(assessment, 1, CLIENT_END_HELD, "first");
		assessment_free(assessment);
		assessment = observe(4, false, restarted);
		check(assessment, 1, cases[i].end, "first");
		assessment_free(assessment);
	}
}

static void over_unix_sockets(struct world *world, int round)
{
	(void)round;
	struct endpoint client = { .family = AF_UNIX };
	struct peers_network *apps = network(world, APPS);
	world_add_backend(world, 1, client);
	world_add_backend(world, 2, client);
	apps->unix_sockets[apps->n_unix++] =
		(struct unix_socket){ .inode = 31, .peer = 41, .at_server = true };
	apps->unix_sockets[apps->n_unix++] =
		(struct unix_socket){ .inode = 32, .shut = true, .at_server = true };
	/* another server's backend with the same pid in its own namespace */
	apps->unix_sockets[apps->n_unix++] =
		(struct unix_socket){ .inode = 33, .peer = 43, .at_server = true };
	add_owner(world, 31, 5001, 1, SERVERS_PIDS, "postgres");
	add_owner(world, 32, 5002, 2, SERVERS_PIDS, "postgres");
	add_owner(world, 33, 6001, 1, SERVERS_PIDS + 1, "postgres");
	add_owner(world, 41, 41, 0, 0, "right");
	add_owner(world, 43, 43, 0, 0, "wrong");
}

static void unix_sockets_are_the_servers_by_its_own_pids(void **state)
{
	(void)state;
	for (int over_unix = 0; over_unix < 2; over_unix++) {
		struct assessment *assessment = observe(2, over_unix, over_unix_sockets);
		check(assessment, 1, CLIENT_END_HELD, "right");
		check(assessment, 2, CLIENT_END_GONE, NULL);
		assessment_free(assessment);
	}
}

/* Through a published port: the server sees the machine's address. */
static struct peers_nat *add_nat(
	struct world *world, struct endpoint client, uint16_t port, const char *server)
{
	struct peers *peers = world->peers;
	struct peers_nat *nat = &peers->nat[peers->n_nat++];
	*nat = (struct peers_nat){
		.client = client,
		.server = at(server, 15432),
		.client_seen = at("10.0.0.1", port),
		.server_real = at("10.0.0.2", PORT),
	};
	return nat;
}

static int alive_rounds; /* then the clients are killed */
static bool remembers;   /* the kernel still has the translations then */

static void published(struct world *world, int round)
{
	bool alive = round < alive_rounds;
	world->peers->nat = arena_array(world->peers->arena, MOST, sizeof(struct peers_nat));
	world_add_backend(world, 1, at("10.0.0.1", 6001)); /* of the application's namespace */
	world_add_backend(world, 2, at("10.0.0.1", 6002)); /* of ours, over loopback */
	world_add_backend(world, 3, at("10.0.0.1", 6003)); /* of another machine */
	for (uint16_t i = 1; i <= 3; i++)
		if (add_server_end(world, "10.0.0.1", 6000 + i, 30u + i) && !alive)
			network(world, SERVERS)->tcp[network(world, SERVERS)->n_tcp - 1].state =
				TCP_CLOSE_WAIT;
	if (alive || remembers) {
		add_nat(world, at("10.0.0.3", 5001), 6001, "10.0.0.1");
		add_nat(world, at("127.0.0.1", 5002), 6002, "127.0.0.1");
		add_nat(world, at("10.9.9.9", 5003), 6003, "10.0.0.1");
		/* the same client's address, at another server */
		add_nat(world, at("10.0.0.3", 5009), 6001, "10.0.0.1")->server_real =
			at("10.0.0.7", PORT);
	}
	if (!alive)
		return;
	add_tcp(world, APPS, at("10.0.0.3", 5001), at("10.0.0.1", 15432), 41);
	add_owner(world, 41, 41, 0, 0, "far");
	add_tcp(world, OURS, at("127.0.0.1", 5002), at("127.0.0.1", 15432), 42);
	add_owner(world, 42, 42, 0, 0, "near");
}

static void check_published(
	const struct assessment *assessment, int32_t pid, enum client_end end, const char *process)
{
	const struct connection *connection = &assessment->connections[pid];
	const struct client_process *found = assessment_process(assessment, connection);
	assert_int_equal(connection->backend->pid, pid);
	if (connection->end != end)
		fail_msg("%d: end %d, not %d", pid, connection->end, end);
	assert_string_equal(found ? found->process.name : "", process);
	if (found)
		assert_int_equal(connection->matched_by, MATCHED_NAT);
}

static void a_translated_client_is_found_and_proven(void **state)
{
	(void)state;
	alive_rounds = 3;
	struct assessment *assessment = observe(2, false, published);
	check_published(assessment, 1, CLIENT_END_HELD, "far");
	check_published(assessment, 2, CLIENT_END_HELD, "near");
	check_published(assessment, 3, CLIENT_END_ELSEWHERE, "");
	assessment_free(assessment);
	for (int i = 0; i < 2; i++) {
		alive_rounds = 2;
		remembers = i == 0;
		assessment = observe(4, false, published);
		check_published(assessment, 1, CLIENT_END_GONE, "far");
		check_published(assessment, 2, CLIENT_END_GONE, "near");
		assessment_free(assessment);
	}
}

/* The kernel forgets a translation of a client that lives. */
static void forgotten(struct world *world, int round)
{
	alive_rounds = 10;
	published(world, round);
	if (round >= 2)
		world->peers->n_nat = 0;
}

static void a_forgotten_translation_changes_nothing(void **state)
{
	(void)state;
	struct assessment *assessment = observe(4, false, forgotten);
	check_published(assessment, 1, CLIENT_END_HELD, "far");
	check_published(assessment, 2, CLIENT_END_HELD, "near");
	assessment_free(assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_is_in_its_namespace),
		cmocka_unit_test(an_unseen_server_proves_nothing),
		cmocka_unit_test(an_address_of_two_namespaces_is_not_matched),
		cmocka_unit_test(sockets_that_were_not_read_prove_nothing),
		cmocka_unit_test(a_port_that_is_used_again_has_its_new_user),
		cmocka_unit_test(who_uses_a_port_again_is_left_open),
		cmocka_unit_test(a_session_from_before_a_clock_step_is_judged),
		cmocka_unit_test(a_restarted_container_is_another_one),
		cmocka_unit_test(unix_sockets_are_the_servers_by_its_own_pids),
		cmocka_unit_test(a_translated_client_is_found_and_proven),
		cmocka_unit_test(a_forgotten_translation_changes_nothing),
	};
	return cmocka_run_group_tests_name("join_networks", tests, NULL, NULL);
}
