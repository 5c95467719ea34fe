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
#include "networks_world.h"

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
	};
	return cmocka_run_group_tests_name("join_networks", tests, NULL, NULL);
}
