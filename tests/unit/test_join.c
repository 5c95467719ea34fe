/* analyze/join and analyze/assess: small worlds of sockets, processes and backends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>

#include <netinet/tcp.h>
#include <string.h>

#include "analyze/assess.h"
#include "base/arena.h"
#include "model/rules.h"
#include "world.h"

/* Without an inode: a socket that no process has any more. */
static struct tcp_socket *add_tcp(
	struct world *world, struct endpoint local, struct endpoint remote, uint32_t inode)
{
	struct tcp_socket *socket = world_add_tcp(world, local, remote, inode);
	if (!inode)
		socket->state = TCP_FIN_WAIT2;
	return socket;
}

static void add_unix(struct world *world, uint32_t inode, uint32_t peer)
{
	world_add_unix(world, inode, peer)->shut = !peer;
}

/* Rows are asked for at `asked`, sockets dumped at `dumped`. Without addresses our own connection
 * is over a Unix socket. */
static struct world world_new(const char *server, const char *own, int64_t asked, int64_t dumped)
{
	struct world world = world_make(asked, dumped);
	struct peers *peers = world.peers;
	peers->local_addresses = arena_array(peers->arena, 1, sizeof(struct endpoint));
	peers->local_addresses[0] = at("10.0.0.5", 0);
	peers->n_local_addresses = 1;
	peers->backend_in_network = !server;
	peers->target.own_inode = 10;
	peers->target.own = server ? at(own, 40000) : (struct endpoint){ .family = AF_UNIX };
	peers->target.server = server ? at(server, PORT) : (struct endpoint){ .family = AF_UNIX };
	if (server) {
		add_tcp(&world, peers->target.own, peers->target.server, 10);
		add_tcp(&world, peers->target.server, peers->target.own, 11);
	} else {
		add_unix(&world, 11, 10);
	}
	world_add_owner(&world, 10, 77, "dbtop");
	world_add_owner(&world, 11, OWN_PID, "postgres");
	world_add_backend(&world, OWN_PID, peers->target.own);
	return world;
}

/* The assessment holds references; the world is freed. */
static struct assessment *settle(struct world *world, const struct assessment *previous)
{
	return world_assess(world, previous, T0 + 10 * USEC_PER_SEC, false);
}

static const struct connection *find(const struct assessment *assessment, int32_t pid)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].backend->pid == pid)
			return &assessment->connections[i];
	fail_msg("no connection %d", pid);
	return NULL;
}

static void check(
	const struct assessment *assessment, int32_t pid, enum client_end end, const char *process)
{
	const struct connection *connection = find(assessment, pid);
	const struct client_process *found = assessment_process(assessment, connection);
	assert_int_equal(connection->end, end);
	if (process)
		assert_string_equal(found ? found->process.name : "(none)", process);
	else
		assert_null(found);
}

/* Two rounds, in dbtop's order: rows, dump, rows again. `build` adds to both. */
static struct assessment *observe(
	const char *server, const char *own, void (*build)(struct world *world))
{
	struct world first = world_new(server, own, T0 - 3 * USEC_PER_SEC, T0 - 4 * USEC_PER_SEC);
	build(&first);
	struct assessment *before = settle(&first, NULL);
	struct world second = world_new(server, own, T0 - 1 * USEC_PER_SEC, T0 - 2 * USEC_PER_SEC);
	build(&second);
	struct assessment *after = settle(&second, before);
	assessment_free(before);
	return after;
}

static void local_tcp(struct world *world)
{
	world_add_backend(world, 1001, at("127.0.0.1", 5001));
	world_add_backend(
		world, 1002, at("127.0.0.1", 5002)); /* killed: an orphan socket remains */
	world_add_backend(world, 1003, at("127.0.0.1", 5003)); /* no socket at all */
	world_add_backend(world, 1004, at("127.0.0.1", 5004)); /* in another namespace, and open */
	world_add_backend(world, 1005, at("10.9.9.9", 5005));  /* another machine */
	world_add_backend(world, 1006, at("127.0.0.1", 5006)); /* another user's process */
	struct endpoint server = at("127.0.0.1", PORT);
	add_tcp(world, at("127.0.0.1", 5001), server, 21);
	add_tcp(world, server, at("127.0.0.1", 5001), 22);
	add_tcp(world, at("127.0.0.1", 5002), server, 0);
	add_tcp(world, server, at("127.0.0.1", 5002), 24)->state = TCP_CLOSE_WAIT;
	add_tcp(world, server, at("127.0.0.1", 5004), 25);
	add_tcp(world, at("127.0.0.1", 5006), server, 26);
	world_add_owner(world, 21, 4312, "python3");
	world_add_owner(world, 21, 4313, "python3"); /* its child */
}

static void a_local_server_over_tcp(void **state)
{
	(void)state;
	struct assessment *assessment = observe("127.0.0.1", "127.0.0.1", local_tcp);
	check(assessment, OWN_PID, CLIENT_END_HELD, "dbtop");
	check(assessment, 1001, CLIENT_END_HELD, "python3");
	check(assessment, 1002, CLIENT_END_GONE, NULL);
	check(assessment, 1003, CLIENT_END_GONE, NULL);
	check(assessment, 1004, CLIENT_END_UNKNOWN, NULL);
	check(assessment, 1005, CLIENT_END_ELSEWHERE, NULL);
	check(assessment, 1006, CLIENT_END_NOT_VISIBLE, NULL);
	assert_int_equal(find(assessment, 1001)->matched_by, MATCHED_TCP);
	assert_int_equal(find(assessment, 1001)->shared_by, 2);
	assert_int_equal(find(assessment, OWN_PID)->shared_by, 1);
	assert_int_equal(find(assessment, 1006)->shared_by, 0);
	assert_int_equal(find(assessment, 1002)->verdict.reason, REASON_CLIENT_GONE);
	assert_int_equal(assessment->n_leaked, 2);
	assert_int_equal(assessment->slots.used, 7);
	assert_int_equal(assessment->slots.free, 15);
	assert_true(assessment->complete);
	assessment_free(assessment);
}

static void nothing_is_gone_before_it_was_looked_for_and_seen_again(void **state)
{
	(void)state;
	/* The dump is older than the first sight of the rows. */
	struct world old = world_new("127.0.0.1", "127.0.0.1", T0, T0 - USEC_PER_SEC);
	local_tcp(&old);
	struct assessment *first = settle(&old, NULL);
	assert_int_equal(first->n_leaked, 0);
	assert_false(first->complete);
	/* The dump is newer, but the rows are older than the dump. */
	struct world dumped = world_new("127.0.0.1", "127.0.0.1", T0, T0 + USEC_PER_SEC);
	local_tcp(&dumped);
	struct assessment *second = settle(&dumped, first);
	check(second, 1001, CLIENT_END_HELD, "python3");
	assert_int_equal(second->n_leaked, 0);
	assert_false(second->complete);
	/* The rows are read again. */
	struct world again =
		world_new("127.0.0.1", "127.0.0.1", T0 + 2 * USEC_PER_SEC, T0 + USEC_PER_SEC);
	local_tcp(&again);
	struct assessment *third = settle(&again, second);
	assert_int_equal(third->n_leaked, 2);
	assert_true(third->complete);
	assessment_free(first);
	assessment_free(second);
	assessment_free(third);
}

static void behind_a_tunnel(struct world *world)
{
	/* These are the remote server's 127.0.0.1: none of the ports is ours. */
	world->activity->backends[0].client = at("127.0.0.1", 33333);
	world_add_backend(world, 1001, at("127.0.0.1", 5001));
	world_add_backend(world, 1002, at("10.0.0.5", 5002));
}

static void a_tunnel_hides_every_client(void **state)
{
	(void)state;
	struct assessment *assessment = observe("127.0.0.1", "127.0.0.1", behind_a_tunnel);
	check(assessment, 1001, CLIENT_END_UNKNOWN, NULL);
	check(assessment, 1002, CLIENT_END_UNKNOWN, NULL);
	assert_int_equal(assessment->n_leaked, 0);
	assessment_free(assessment);
}

static void through_a_mounted_socket(struct world *world)
{
	/* The server's folder is mounted here, but its network is not ours: the port belongs to
	 * another program. */
	world->peers->backend_in_network = false;
	world_add_backend(world, 1001, at("127.0.0.1", 5001));
	world_add_backend(world, 1002, at("10.0.0.5", 5002));
}

static void a_server_in_another_network_proves_nothing(void **state)
{
	(void)state;
	struct assessment *assessment = observe(NULL, NULL, through_a_mounted_socket);
	check(assessment, 1001, CLIENT_END_ELSEWHERE, NULL);
	check(assessment, 1002, CLIENT_END_UNKNOWN, NULL);
	assert_int_equal(assessment->n_leaked, 0);
	assessment_free(assessment);
}

/* On a busy machine a scan that began before we were connected makes its dump after the first rows.
 */
static void before_we_connected(struct world *world)
{
	world->peers->target = (struct peers_target){ .port = PORT };
	world_add_backend(world, 1001, (struct endpoint){ .family = AF_UNIX });
	world_add_backend(world, 1002, at("127.0.0.1", 5002));
}

/* The backend of the connection that was lost is no process any more. */
static void before_we_connected_again(struct world *world)
{
	world->peers->target.backend_pid = OWN_PID + 1;
	world_add_backend(world, 1001, (struct endpoint){ .family = AF_UNIX });
	world_add_backend(world, 1002, at("127.0.0.1", 5002));
}

static void a_scan_that_began_without_our_connection_shows_nothing(void **state)
{
	(void)state;
	static void (*const arrangements[])(
		struct world *) = { before_we_connected, before_we_connected_again };
	for (size_t i = 0; i < 2; i++) {
		struct assessment *assessment = observe("127.0.0.1", "127.0.0.1", arrangements[i]);
		check(assessment, 1001, CLIENT_END_UNKNOWN, NULL);
		check(assessment, 1002, CLIENT_END_UNKNOWN, NULL);
		assert_false(assessment->complete);
		assessment_free(assessment);
	}
}

/* The server shares our network but not our pids, or /proc hides its processes: our backend's pid
 * is another process here, or none. */
static void in_a_container(struct world *world)
{
	local_tcp(world);
	world->peers->backend_started_at = T0 - 5000 * USEC_PER_SEC;
	world->peers->processes[1].pid = 31337;
	world->peers->processes[1].program = PROGRAM_POSTGRESQL;
}

static void behind_hidepid(struct world *world)
{
	local_tcp(world);
	world->peers->backend_started_at = INSTANT_UNKNOWN;
	world->peers->owners[1].inode = 12;
}

static void the_socket_table_is_proof_enough(void **state)
{
	(void)state;
	void (*const worlds[])(struct world * world) = { in_a_container, behind_hidepid };
	for (size_t i = 0; i < 2; i++) {
		struct assessment *assessment = observe("127.0.0.1", "127.0.0.1", worlds[i]);
		check(assessment, OWN_PID, CLIENT_END_HELD, "dbtop");
		check(assessment, 1001, CLIENT_END_HELD, "python3");
		check(assessment, 1002, CLIENT_END_GONE, NULL);
		check(assessment, 1006, CLIENT_END_NOT_VISIBLE, NULL);
		assert_int_equal(assessment->n_leaked, 2);
		assessment_free(assessment);
	}
}

/* The other end of a tunnel to another machine, where the server sees our address by chance. */
static void at_a_tunnels_end(struct world *world)
{
	in_a_container(world);
	world->peers->processes[1].name = "ssh";
	world->peers->processes[1].program = PROGRAM_UNKNOWN;
}

static void a_tunnels_end_is_not_the_server(void **state)
{
	(void)state;
	struct assessment *assessment = observe("127.0.0.1", "127.0.0.1", at_a_tunnels_end);
	check(assessment, 1001, CLIENT_END_ELSEWHERE, NULL);
	assert_int_equal(assessment->n_leaked, 0);
	assessment_free(assessment);
}

static void no_dump(struct world *world)
{
	local_tcp(world);
	world->peers->tcp_known = false;
	world->peers->n_tcp = 0;
}

static void a_failed_dump_proves_nothing(void **state)
{
	(void)state;
	struct assessment *assessment = observe("127.0.0.1", "127.0.0.1", no_dump);
	check(assessment, 1003, CLIENT_END_UNKNOWN, NULL);
	assert_int_equal(assessment->n_leaked, 0);
	assessment_free(assessment);
}

static struct world remote_world(int64_t second, bool with_client)
{
	struct world world = world_new("192.0.2.7", "10.0.0.5", T0 + second * USEC_PER_SEC,
		T0 + second * USEC_PER_SEC - 1);
	world.peers->n_tcp = 1; /* Only our end of our own connection is here. */
	world.peers->backend_started_at = INSTANT_UNKNOWN;
	world_add_backend(&world, 1001, at("10.0.0.5", 5001));
	world_add_backend(
		&world, 1002, at("10.0.0.5", 5002)); /* never seen: may be in a container */
	world_add_backend(&world, 1003, at("127.0.0.1", 5001)); /* the server's own loopback */
	if (with_client) {
		add_tcp(&world, at("10.0.0.5", 5001), at("192.0.2.7", PORT), 21);
		world_add_owner(&world, 21, 4312, "python3");
	}
	return world;
}

static void a_remote_servers_client_is_gone_when_two_dumps_miss_it(void **state)
{
	(void)state;
	struct assessment *before = NULL;
	for (int second = 0; second < 5; second++) {
		struct world world = remote_world(second, second < 2);
		struct assessment *now = settle(&world, before);
		assessment_free(before);
		before = now;
		if (second == 1)
			check(now, 1001, CLIENT_END_HELD, "python3");
		if (second == 2)
			check(now, 1001, CLIENT_END_UNKNOWN, "python3");
		if (second >= 3) {
			check(now, 1001, CLIENT_END_GONE, "python3");
			assert_int_equal(now->n_leaked, 1);
		}
		check(now, 1002, CLIENT_END_UNKNOWN, NULL);
		check(now, 1003, CLIENT_END_ELSEWHERE, NULL);
	}
	assessment_free(before);
}

static void over_unix(struct world *world)
{
	struct endpoint local = { .family = AF_UNIX };
	world_add_backend(world, 1001, local);
	world_add_backend(world, 1002, local); /* client gone */
	world_add_backend(world, 1003, local); /* the descriptors of its backend are hidden */
	add_unix(world, 31, 32);
	add_unix(world, 33, 0);
	world_add_owner(world, 31, 1001, "postgres");
	world_add_owner(world, 32, 4312, "python3");
	world_add_owner(world, 33, 1002, "postgres");
}

static void a_local_server_over_a_unix_socket(void **state)
{
	(void)state;
	struct assessment *assessment = observe(NULL, NULL, over_unix);
	check(assessment, OWN_PID, CLIENT_END_HELD, "dbtop");
	check(assessment, 1001, CLIENT_END_HELD, "python3");
	check(assessment, 1002, CLIENT_END_GONE, NULL);
	check(assessment, 1003, CLIENT_END_NOT_VISIBLE, NULL);
	assert_int_equal(find(assessment, 1001)->matched_by, MATCHED_UNIX);
	assert_int_equal(assessment->n_leaked, 1);
	assessment_free(assessment);
}

/* The wall clock was set since our own session began: both clocks say another start. */
static void after_a_clock_step(struct world *world)
{
	over_unix(world);
	world->peers->backend_started_at = T0 - 5000 * USEC_PER_SEC;
}

static void a_clock_step_hides_no_process(void **state)
{
	(void)state;
	struct assessment *assessment = observe(NULL, NULL, after_a_clock_step);
	check(assessment, OWN_PID, CLIENT_END_HELD, "dbtop");
	check(assessment, 1001, CLIENT_END_HELD, "python3");
	check(assessment, 1002, CLIENT_END_GONE, NULL);
	assessment_free(assessment);
}

/* Our own connection leads through a forwarder that listens at the server's address. */
static void a_forwarder_beside_its_server(void **state)
{
	(void)state;
	enum { FORWARDER_PORT = 6000 };
	struct world world = world_make(T0, T0 - USEC_PER_SEC);
	struct endpoint server = at("127.0.0.1", PORT);
	world.peers->target.own = at("127.0.0.1", 40000);
	world.peers->target.server = at("127.0.0.1", FORWARDER_PORT);
	world.peers->target.port = FORWARDER_PORT;
	world.peers->target.server_port = PORT;
	for (uint16_t i = 0; i < 2; i++) {
		struct endpoint client = at("127.0.0.1", 5000 + i);
		int32_t pid = i ? 1001 : OWN_PID;
		world_add_backend(&world, pid, client);
		add_tcp(&world, client, server, 20u + 2 * i);
		add_tcp(&world, server, client, 21u + 2 * i);
		world_add_owner(&world, 20u + 2 * i, 70 + i, i ? "python3" : "socat");
		world_add_owner(&world, 21u + 2 * i, pid, "postgres")->started_at = START;
	}
	struct assessment *assessment = settle(&world, NULL);
	check(assessment, OWN_PID, CLIENT_END_HELD, "socat");
	check(assessment, 1001, CLIENT_END_HELD, "python3");
	assessment_free(assessment);
}

/* A dump that is newer than the server's answer neither withdraws nor proves a verdict. */
static void what_is_proven_stays_between_two_answers(void **state)
{
	(void)state;
	struct assessment *before = observe(NULL, NULL, over_unix);
	check(before, 1002, CLIENT_END_GONE, NULL);
	for (int round = 1; round < 4; round++) {
		struct world world = world_new(NULL, NULL, T0, T0 + round * USEC_PER_SEC);
		over_unix(&world);
		world_add_backend(&world, 1004, (struct endpoint){ .family = AF_UNIX });
		add_unix(&world, 35, 0);
		world_add_owner(&world, 35, 1004, "postgres");
		struct assessment *now = settle(&world, before);
		assessment_free(before);
		before = now;
		check(now, 1002, CLIENT_END_GONE, NULL);
		check(now, 1004, CLIENT_END_UNKNOWN, NULL);
		assert_int_equal(now->n_leaked, 1);
	}
	assessment_free(before);
}

static void a_process_that_went_is_remembered(void **state)
{
	(void)state;
	struct assessment *before = observe(NULL, NULL, over_unix);
	for (int round = 1; round < 4; round++) {
		struct world world = world_new(NULL, NULL, T0 + round * 2 * USEC_PER_SEC,
			T0 + (round * 2 - 1) * USEC_PER_SEC);
		world_add_backend(&world, 1001, (struct endpoint){ .family = AF_UNIX });
		add_unix(&world, 31, 0);
		world_add_owner(&world, 31, 1001, "postgres");
		struct assessment *now = settle(&world, before);
		assessment_free(before);
		before = now;
		check(now, 1001, CLIENT_END_GONE, "python3");
		const struct client_process *process = assessment_process(now, find(now, 1001));
		assert_false(process->alive);
		assert_int_equal(process->process.pid, 4312);
		assert_int_equal(process->process.ended_at, T0 + 10 * USEC_PER_SEC);
		assert_int_equal(process->connections, 1);
		assert_int_equal(process->leaked, 1);
	}
	assessment_free(before);
}

static void a_full_server_shows_the_processes_at_its_sockets(void **state)
{
	(void)state;
	struct world world = world_new("127.0.0.1", "127.0.0.1", T0, T0 - 1);
	local_tcp(&world);
	const struct rules rules = { 0 };
	const struct server_state server = { .status = SERVER_FULL };
	const struct assess_input input = {
		.peers = world.peers, .server = &server, .rules = &rules, .now = T0
	};
	struct assessment *assessment = assess(&input, NULL);
	assert_int_equal(assessment->slots.used, -1);
	assert_int_equal(assessment->slots.by_status[STATUS_LEAKED], -1);
	assert_int_equal(assessment->n_processes, 2); /* dbtop and python3; not postgres */
	assert_string_equal(assessment->processes[1].process.name, "python3");
	assert_int_equal(assessment->processes[1].connections, 1);
	assessment_free(assessment);
	activity_unref(world.activity);
	peers_unref(world.peers);
}

/* Only the wall clock is set between two rounds. */
/* It counts from the start of the statement, unless it was seen to work in between. */
static void a_wait_for_the_client_counts_while_it_is_seen(void **state)
{
	(void)state;
	static const struct {
		int64_t at, state_change; /* seconds */
		const char *wait;
		int64_t waits; /* 0: not for longer than the limit of 300 s */
	} rows[] = {
		{ 0, -301, "Client", 301 },
		{ 0, -300, "Client", 0 },
		{ 1, -301, NULL, 0 },
		{ 2, -301, "Client", 0 },
		{ 302, -301, "Client", 0 },
		{ 303, -301, "Client", 301 },
		{ 304, -301, "Lock", 0 },
		{ 305, 305, "Client", 0 },
		{ 606, 305, "Client", 301 },
	};
	struct assessment *previous = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t now = T0 + rows[i].at * USEC_PER_SEC;
		struct world world = world_new("127.0.0.1", "127.0.0.1", now, now);
		struct backend *backend = world_add_backend(&world, 1001, at("192.0.2.9", 5001));
		backend->wait_event_type = rows[i].wait;
		backend->state_change = T0 + rows[i].state_change * USEC_PER_SEC;
		struct assessment *assessment = settle(&world, previous);
		const struct connection *connection = find(assessment, 1001);
		int64_t waits = rows[i].waits ? rows[i].waits * USEC_PER_SEC : -1;
		if (connection->waits_for_client != waits)
			fail_msg("row %zu: %" PRId64, i, connection->waits_for_client);
		assert_int_equal(connection->verdict.status, STATUS_ACTIVE);
		assessment_free(previous);
		previous = assessment;
	}
	assessment_free(previous);
}

/* The statement is replaced by the next one; what it did stays. */
static void what_statements_did_is_remembered(void **state)
{
	(void)state;
	static const struct {
		const char *query;
		int64_t start;
		bool listening, backing_up;
	} rows[] = {
		{ "SELECT 1", 0, false, false },
		{ "LISTEN jobs", 0, true, false },
		{ "COMMIT", 0, true, false },
		{ NULL, 0, true, false },
		{ "SELECT pg_backup_start('x')", 0, true, true },
		{ "SELECT 1", 0, true, true },
		{ "UNLISTEN *", 0, false, true },
		{ "SELECT pg_backup_stop()", 0, false, false },
		{ "LISTEN jobs", 0, true, false },
		/* the pid is used again */
		{ "SELECT 1", USEC_PER_SEC, false, false },
	};
	struct assessment *previous = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world = world_new("127.0.0.1", "127.0.0.1", T0, T0);
		struct backend *backend = world_add_backend(&world, 1001, at("127.0.0.1", 5001));
		backend->start += rows[i].start;
		backend->effects = statement_effects(rows[i].query);
		struct assessment *assessment = settle(&world, previous);
		const struct connection *connection = find(assessment, 1001);
		assert_int_equal(connection->listening, rows[i].listening);
		assert_int_equal(connection->backing_up, rows[i].backing_up);
		assessment_free(previous);
		previous = assessment;
	}
	assessment_free(previous);
}

static void a_clock_that_is_set_delays_nothing_and_proves_nothing(void **state)
{
	(void)state;
	static const int64_t steps[] = { -3600 * USEC_PER_SEC, 3600 * USEC_PER_SEC };
	for (size_t i = 0; i < 2; i++) {
		int64_t later = T0 + steps[i];
		struct world old = world_new("127.0.0.1", "127.0.0.1", T0, T0 - USEC_PER_SEC);
		local_tcp(&old);
		struct assessment *first = settle(&old, NULL);
		/* The dump is from before the clock was set: it proves nothing about these
		 * sessions. */
		struct world set = world_new(
			"127.0.0.1", "127.0.0.1", later + USEC_PER_SEC, T0 - USEC_PER_SEC);
		local_tcp(&set);
		set.clock_step = steps[i];
		struct assessment *second = settle(&set, first);
		assert_int_equal(second->n_leaked, 0);
		assert_false(second->complete);
		/* After one more round everything is as without the change. */
		struct world next = world_new("127.0.0.1", "127.0.0.1", later + 3 * USEC_PER_SEC,
			later + 2 * USEC_PER_SEC);
		local_tcp(&next);
		next.clock_step = steps[i];
		struct assessment *third = settle(&next, second);
		assert_int_equal(third->n_leaked, 2);
		assert_true(third->complete);
		assessment_free(first);
		assessment_free(second);
		assessment_free(third);
	}
}

/* The clock is set back and forward again: a dump from before the session still counts as older. */
static void a_clock_that_is_set_twice_proves_nothing(void **state)
{
	(void)state;
	struct world empty = world_new("127.0.0.1", "127.0.0.1", T0 - USEC_PER_SEC, T0);
	struct assessment *first = settle(&empty, NULL);
	struct world back = world_new("127.0.0.1", "127.0.0.1", T0 - 3600 * USEC_PER_SEC, T0);
	local_tcp(&back);
	back.clock_step = -3600 * USEC_PER_SEC;
	struct assessment *second = settle(&back, first);
	assert_int_equal(second->n_leaked, 0);
	struct world forth = world_new("127.0.0.1", "127.0.0.1", T0 + 5 * USEC_PER_SEC, T0);
	local_tcp(&forth);
	struct assessment *third = settle(&forth, second);
	assert_int_equal(third->n_leaked, 0);
	assert_false(third->complete);
	assessment_free(first);
	assessment_free(second);
	assessment_free(third);
}

/* Whether rows are newer than a dump is decided by the clock that nobody sets. */
static void rows_are_ordered_by_the_monotonic_clock(void **state)
{
	(void)state;
	/* the wall clock is set back between the dump and the rows */
	struct world back = world_new("127.0.0.1", "127.0.0.1", T0 - 3600 * USEC_PER_SEC, T0);
	back.peers->dump_began = T0;
	back.activity->asked_monotonic = T0 + 1;
	struct assessment *first = settle(&back, NULL);
	assert_true(first->complete);
	/* it is set back between the rows and the dump */
	struct world early = world_new("127.0.0.1", "127.0.0.1", T0 + 2, T0 + 1);
	early.activity->asked_monotonic = T0 + 2;
	early.peers->dump_began = T0 + 3;
	struct assessment *second = settle(&early, first);
	assert_false(second->complete);
	assessment_free(first);
	assessment_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_local_server_over_tcp),
		cmocka_unit_test(nothing_is_gone_before_it_was_looked_for_and_seen_again),
		cmocka_unit_test(a_tunnel_hides_every_client),
		cmocka_unit_test(a_server_in_another_network_proves_nothing),
		cmocka_unit_test(a_scan_that_began_without_our_connection_shows_nothing),
		cmocka_unit_test(the_socket_table_is_proof_enough),
		cmocka_unit_test(a_tunnels_end_is_not_the_server),
		cmocka_unit_test(a_clock_step_hides_no_process),
		cmocka_unit_test(a_forwarder_beside_its_server),
		cmocka_unit_test(a_failed_dump_proves_nothing),
		cmocka_unit_test(a_remote_servers_client_is_gone_when_two_dumps_miss_it),
		cmocka_unit_test(a_local_server_over_a_unix_socket),
		cmocka_unit_test(what_is_proven_stays_between_two_answers),
		cmocka_unit_test(a_process_that_went_is_remembered),
		cmocka_unit_test(what_statements_did_is_remembered),
		cmocka_unit_test(a_wait_for_the_client_counts_while_it_is_seen),
		cmocka_unit_test(a_full_server_shows_the_processes_at_its_sockets),
		cmocka_unit_test(a_clock_that_is_set_delays_nothing_and_proves_nothing),
		cmocka_unit_test(a_clock_that_is_set_twice_proves_nothing),
		cmocka_unit_test(rows_are_ordered_by_the_monotonic_clock),
	};
	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
