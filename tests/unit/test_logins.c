/* analyze/logins: which sockets to the server have no session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>
#include <string.h>

#include "analyze/logins.h"
#include "base/arena.h"
#include "world.h"

#define POSTMASTER 800

static struct backend *add_row(struct world *world, int32_t pid, struct endpoint client)
{
	struct backend *backend = world_add_backend(world, pid, client);
	backend->state = BACKEND_STATE_IDLE;
	return backend;
}

static struct endpoint unix_end(void)
{
	return (struct endpoint){ .family = AF_UNIX };
}

static void add_owner(struct world *world, uint32_t inode, int32_t pid, int32_t parent)
{
	bool is_server = parent == POSTMASTER;
	struct process *process =
		world_add_owner(world, inode, pid, is_server ? "postgres" : "python3");
	process->parent = parent;
	process->program = is_server ? PROGRAM_POSTGRESQL : PROGRAM_UNKNOWN;
}

/* Both ends of a TCP connection: the client's has inode 2000 + port, held by process 4000. */
static void add_pair(struct world *world, uint16_t port)
{
	world_add_tcp(world, at("127.0.0.1", port), at("127.0.0.1", PORT), 2000u + port);
	world_add_tcp(world, at("127.0.0.1", PORT), at("127.0.0.1", port), 9000u + port);
	add_owner(world, 2000u + port, 4000, 1);
}

/* The second at which rows were asked for (their answer came half a second later), and at which
 * the sockets were dumped. */
static struct world world_new(bool over_unix, int asked, int dumped)
{
	struct world world = world_make(T0 + asked * USEC_PER_SEC, T0 + dumped * USEC_PER_SEC);
	struct peers *peers = world.peers;
	world.activity->taken_monotonic = world.activity->asked_monotonic + USEC_PER_SEC / 2;
	peers->backend_in_network = true;
	peers->target.own_inode = 12;
	peers->target.own = over_unix ? unix_end() : at("127.0.0.1", 40000);
	peers->target.server = over_unix ? unix_end() : at("127.0.0.1", PORT);
	if (over_unix) {
		world_add_unix(&world, 11, 12);
	} else {
		world_add_tcp(&world, peers->target.own, peers->target.server, 12);
		world_add_tcp(&world, peers->target.server, peers->target.own, 11);
	}
	add_owner(&world, 11, OWN_PID, POSTMASTER);
	add_row(&world, OWN_PID, peers->target.own);
	return world;
}

static struct assessment *settle(struct world *world, const struct assessment *previous)
{
	return world_assess(world, previous, T0 + 100 * USEC_PER_SEC, true);
}

/* One dump, rows, another dump, rows: `build` adds the same to each. */
static struct assessment *observe(bool over_unix, void (*build)(struct world *world))
{
	static const int seconds[][2] = { { 2, 1 }, { 2, 3 }, { 4, 3 } };
	struct assessment *before = NULL;
	for (size_t i = 0; i < 3; i++) {
		struct world world = world_new(over_unix, seconds[i][0], seconds[i][1]);
		build(&world);
		struct assessment *now = settle(&world, before);
		assessment_free(before);
		before = now;
	}
	return before;
}

static void two_half_open_logins(struct world *world)
{
	add_row(world, 1001, at("127.0.0.1", 5001));
	for (uint16_t port = 5001; port <= 5003; port++)
		add_pair(world, port);
}

static void sockets_without_a_session_are_counted_and_named(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, two_half_open_logins);
	assert_int_equal(assessment->slots.logging_in, 2);
	assert_int_equal(assessment->n_logins, 1);
	assert_int_equal(assessment->logins[0].count, 2);
	assert_int_equal(assessment->processes[assessment->logins[0].process].process.pid, 4000);
	assert_int_equal(assessment->slots.used_at_most, 4);
	assert_int_equal(assessment->slots.free_at_least, 18);
	/* each may be a client that has sent nothing yet, which holds no slot */
	assert_int_equal(assessment->slots.used, -1);
	assert_int_equal(assessment->slots.free, -1);
	assert_true(assessment->complete);
	assessment_free(assessment);
}

static void all_have_logged_in(struct world *world)
{
	add_row(world, 1001, at("127.0.0.1", 5001));
	add_row(world, 1002, at("127.0.0.1", 5002));
	add_pair(world, 5001);
	add_pair(world, 5002);
}

static void a_session_is_no_login(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, all_have_logged_in);
	assert_int_equal(assessment->slots.logging_in, 0);
	assert_int_equal(assessment->slots.used, 3);
	assert_int_equal(assessment->slots.free, 19);
	assessment_free(assessment);
}

/* A socket that is in one dump may belong to a session that ended before the rows were taken, or
 * began after them. */
static void one_dump_proves_nothing(void **state)
{
	(void)state;
	/* rows after the only dump */
	struct world world = world_new(false, 2, 1);
	two_half_open_logins(&world);
	struct assessment *first = settle(&world, NULL);
	assert_int_equal(first->slots.logging_in, 0);
	assert_false(first->complete);
	assert_true(logins_need_dump(first));
	/* the next dump has neither of them: their sessions had ended */
	world = world_new(false, 2, 3);
	add_row(&world, 1001, at("127.0.0.1", 5001));
	add_pair(&world, 5001);
	struct assessment *second = settle(&world, first);
	assert_int_equal(second->slots.logging_in, 0);
	assert_false(logins_are_pending(second));
	assert_false(logins_need_dump(second));
	/* others with the same ports are not the same sockets */
	world = world_new(false, 2, 4);
	two_half_open_logins(&world);
	for (size_t i = 0; i < world.peers->n_tcp; i++)
		world.peers->tcp[i].inode += world.peers->tcp[i].inode > 9000 ? 100 : 0;
	struct assessment *other = settle(&world, first);
	assert_int_equal(other->slots.logging_in, 0);
	assessment_free(first);
	assessment_free(second);
	assessment_free(other);
}

/* A login that is done is a session; what began later does not keep a report from being complete.
 */
static void a_login_ends_with_its_session(void **state)
{
	(void)state;
	struct assessment *before = observe(false, two_half_open_logins);
	struct world world = world_new(false, 5, 3);
	two_half_open_logins(&world);
	add_row(&world, 1002, at("127.0.0.1", 5002));
	add_pair(&world, 5004);
	struct assessment *now = settle(&world, before);
	assert_int_equal(now->slots.logging_in, 1);
	assert_false(logins_are_pending(now));
	assessment_free(before);
	assessment_free(now);
}

static void another_server(struct world *world)
{
	/* the same port at another address, which carries no session of ours */
	world_add_tcp(world, at("127.0.0.2", PORT), at("127.0.0.1", 6001), 9500);
	/* its Unix socket */
	world_add_unix(world, 9600, 9601);
	add_owner(world, 9500, 1500, 777);
	add_owner(world, 9600, 1501, 777);
}

static void another_servers_sockets_do_not_count(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, another_server);
	assert_int_equal(assessment->slots.logging_in, 0);
	assessment_free(assessment);
}

static void our_servers_other_doors(struct world *world)
{
	/* a second address, and the Unix socket: held by children of our own postmaster */
	world_add_tcp(world, at("127.0.0.2", PORT), at("10.0.0.9", 6001), 9500);
	world_add_unix(world, 9600, 9601);
	add_owner(world, 9500, 1500, POSTMASTER);
	add_owner(world, 9600, 1501, POSTMASTER);
}

static void our_servers_other_addresses_count(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, our_servers_other_doors);
	assert_int_equal(assessment->slots.logging_in, 2);
	assert_int_equal(assessment->n_logins, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(assessment->logins[i].process, NO_PROCESS);
	assessment_free(assessment);
}

/* Another user's server: which backend holds a Unix socket cannot be seen, only counted. */
static void unseen_backends(struct world *world)
{
	add_row(world, 1001, unix_end());
	world_add_unix(world, 9100, 9101);
	world_add_unix(world, 9200, 9201);
	world_add_unix(world, 9300, 9301);
	world->peers->n_owners = 0;
}

static void sockets_that_cannot_be_told_apart_are_counted(void **state)
{
	(void)state;
	struct assessment *assessment = observe(true, unseen_backends);
	assert_int_equal(assessment->slots.logging_in, 2);
	assert_int_equal(assessment->logins[0].process, NO_PROCESS);
	assert_true(assessment->complete);
	/* a session that ends leaves its socket in the older dump: that is no login */
	struct world world = world_new(true, 5, 3);
	unseen_backends(&world);
	world.activity->n_backends--;
	struct assessment *next = settle(&world, assessment);
	assert_int_equal(next->slots.logging_in, 2);
	assert_true(logins_need_dump(next));
	assessment_free(next);
	assessment_free(assessment);
}

/* Rows that were taken before the first dump: not that there is no login. */
static void a_first_dump_after_the_rows_decides_nothing(void **state)
{
	(void)state;
	struct world world = world_new(true, 1, 2);
	unseen_backends(&world);
	struct assessment *first = settle(&world, NULL);
	assert_true(logins_are_pending(first));
	/* the next rows come with the same dump */
	world = world_new(true, 3, 2);
	unseen_backends(&world);
	struct assessment *second = settle(&world, first);
	assert_false(second->complete);
	assert_true(logins_need_dump(second));
	world = world_new(true, 3, 4);
	unseen_backends(&world);
	struct assessment *third = settle(&world, second);
	assert_int_equal(third->slots.logging_in, 2);
	assert_false(logins_are_pending(third));
	assessment_free(first);
	assessment_free(second);
	assessment_free(third);
}

static void hidden_rows(struct world *world)
{
	two_half_open_logins(world);
	add_row(world, 1009, (struct endpoint){ 0 })->kind = BACKEND_HIDDEN;
	world->peers->n_owners = 0;
}

/* A hidden row may be the session of any socket. */
static void nothing_is_said_where_rows_are_hidden(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, hidden_rows);
	assert_int_equal(assessment->slots.logging_in, -1);
	/* two sockets, one hidden row: one of them has no session at least */
	assert_int_equal(assessment->n_logins, 1);
	assert_int_equal(assessment->logins[0].count, 1);
	assert_int_equal(assessment->slots.used_at_most, 4);
	assessment_free(assessment);
}

static void hidden_rows_of_visible_backends(struct world *world)
{
	two_half_open_logins(world);
	add_row(world, 1009, (struct endpoint){ 0 })->kind = BACKEND_HIDDEN;
	add_owner(world, 9000 + 5001, 1001, POSTMASTER);
	add_owner(world, 9000 + 5002, 1009, POSTMASTER);
	add_owner(world, 9000 + 5003, 1010, POSTMASTER);
}

static void a_hidden_row_is_matched_by_its_backend(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, hidden_rows_of_visible_backends);
	assert_int_equal(assessment->slots.logging_in, 1);
	assessment_free(assessment);
}

static void a_remote_server(struct world *world)
{
	two_half_open_logins(world);
	/* the server's ends are not here */
	size_t n = 0;
	for (size_t i = 0; i < world->peers->n_tcp; i++)
		if (world->peers->tcp[i].remote.port == PORT)
			world->peers->tcp[n++] = world->peers->tcp[i];
	world->peers->n_tcp = n;
	world->peers->backend_started_at = INSTANT_UNKNOWN;
}

static void of_a_remote_server_only_our_own_are_known(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, a_remote_server);
	assert_int_equal(assessment->slots.logging_in, -1);
	assert_int_equal(assessment->n_logins, 1);
	assert_int_equal(assessment->logins[0].count, 2);
	assert_int_equal(assessment->slots.used_at_most, 4);
	assessment_free(assessment);
}

static void starting_rows(struct world *world)
{
	add_row(world, 1002, at("127.0.0.1", 5002))->state = BACKEND_STATE_STARTING;
	add_pair(world, 5002);
}

/* Version 18 shows a login as a row. */
static void a_starting_row_is_a_login_and_one_slot(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, starting_rows);
	assert_int_equal(assessment->slots.logging_in, 1);
	assert_int_equal(assessment->slots.used, 2);
	assert_int_equal(assessment->logins[0].count, 1);
	assert_int_equal(assessment->processes[assessment->logins[0].process].process.pid, 4000);
	assessment_free(assessment);
}

static void more_than_fit(struct world *world)
{
	two_half_open_logins(world);
	world->activity->server.max_connections = 3;
	world->activity->server.reserved = 0;
}

static void never_more_are_used_than_there_are(void **state)
{
	(void)state;
	struct assessment *assessment = observe(false, more_than_fit);
	assert_int_equal(assessment->slots.used_at_most, 3);
	assert_int_equal(assessment->slots.free_at_least, 0);
	assessment_free(assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_without_a_session_are_counted_and_named),
		cmocka_unit_test(a_session_is_no_login),
		cmocka_unit_test(one_dump_proves_nothing),
		cmocka_unit_test(a_login_ends_with_its_session),
		cmocka_unit_test(another_servers_sockets_do_not_count),
		cmocka_unit_test(our_servers_other_addresses_count),
		cmocka_unit_test(sockets_that_cannot_be_told_apart_are_counted),
		cmocka_unit_test(a_first_dump_after_the_rows_decides_nothing),
		cmocka_unit_test(nothing_is_said_where_rows_are_hidden),
		cmocka_unit_test(a_hidden_row_is_matched_by_its_backend),
		cmocka_unit_test(of_a_remote_server_only_our_own_are_known),
		cmocka_unit_test(a_starting_row_is_a_login_and_one_slot),
		cmocka_unit_test(never_more_are_used_than_there_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
