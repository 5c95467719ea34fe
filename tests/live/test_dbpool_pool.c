/* libdbpool with a real server: each test is a process of its own (pool_client.c); the test asks
 * the server before and after. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_pool.h"

static const char *conninfo;

static void run(const char *role)
{
	live_pool_run(conninfo, role, NULL);
	assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);
}

#define ROLE(function, role)                                                                       \
	static void function(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		run(role);                                                                         \
	}

ROLE(one_pool_however_many_start_it, "race")
ROLE(another_configuration_is_reported, "differs")
ROLE(nonsense_is_refused, "invalid")
ROLE(an_unreachable_server_is_reported, "unreachable")
ROLE(refused_credentials_are_reported, "refused")
ROLE(a_lazy_pool_gives_its_reason, "lazy")
ROLE(it_starts_again_after_the_end, "restart")
ROLE(connections_are_used_again, "reuse")
ROLE(the_server_knows_who_it_is, "identity")
ROLE(a_child_has_no_part_in_it, "forks")
ROLE(every_way_out_of_a_scope_releases, "scope")
ROLE(misuse_is_defined, "misuse")
ROLE(waiters_are_served_in_order, "turns")
ROLE(nobody_starves, "starving")
ROLE(deadlines_are_met, "deadline")
ROLE(no_connection_is_in_two_hands, "hurried")
ROLE(nor_when_it_is_taken_back, "robbed")
ROLE(a_waiter_may_wake_up_late, "overslept")
ROLE(nor_when_the_pool_starts_again, "restarted")
ROLE(nobody_is_forgotten_in_the_queue, "met")
ROLE(the_last_release_may_free_it, "freed")
ROLE(sessions_are_cleaned, "cleaned")
ROLE(or_those_whose_results_show_a_change, "told")
ROLE(leaks_are_reported_once, "leak")
ROLE(overdue_connections_are_taken_back, "reclaim")
ROLE(connections_wear_out, "wearing")
ROLE(bad_statements_are_not_its_affair, "bad-statement")
ROLE(killed_backends_are_replaced, "killed-backend")
ROLE(a_silent_server_does_not_hang_it, "silent")
ROLE(hooks_run_whatever_happens, "hooks")
ROLE(the_page_has_everything, "page")
ROLE(a_page_does_not_look_old, "aged-page")

static void a_crowd_shares_three(void **state)
{
	(void)state;
	live_pool_run(conninfo, "crowd", "5");
	live_pool_run(conninfo, "crowd", "64");
	assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);
}

static void a_full_server_is_reported(void **state)
{
	CLEANUP(cleanup_free) char *plain = live_conninfo(server, LIVE_TCP4, "user=plain");
	PGconn *conns[30];
	int n = 0;
	(void)state;
	for (; n < 30; n++) {
		conns[n] = PQconnectdb(plain);
		if (PQstatus(conns[n]) != CONNECTION_OK)
			break;
	}
	live_pool_run(
		conninfo, "full", "all of the server's connection slots are in use|user=plain");
	for (int i = 0; i <= n && i < 30; i++)
		PQfinish(conns[i]);
}

static void other_limits_are_reported(void **state)
{
	(void)state;
	live_sql(server, "CREATE ROLE limited LOGIN CONNECTION LIMIT 0");
	live_sql(server, "CREATE DATABASE narrow CONNECTION LIMIT 0");
	live_pool_run(conninfo, "full", "the role's connection limit is reached|user=limited");
	live_pool_run(conninfo, "full",
		"the database's connection limit is reached|user=plain dbname=narrow");
}

static void an_outage_is_survived(void **state)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct live_program *program = live_pool_start(conninfo, "outage", NULL);
	(void)state;
	live_wait_out(program, "ready", 30000);
	assert_int_equal(private_server_restart(server, error), 0);
	assert_int_equal(live_finish(program, 60000), 0);
	assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);
}

static void a_child_keeps_no_session(void **state)
{
	(void)state;
	struct live_program *program = live_pool_start(conninfo, "leaves-child", NULL);
	assert_int_equal(live_finish(program, 30000), 4);
	pid_t child = atoi(live_out(program));
	assert_true(child > 0);
	live_wait_sessions(server, NULL, 0, 5000);
	/* the child has not ended meanwhile */
	assert_int_equal(kill(child, SIGKILL), 0);
}

static void let_die(const char *name)
{
	struct live_program *program = live_pool_start(conninfo, "victim", name);
	live_wait_out(program, "ready", 30000);
	live_wait_sessions(server, "state = 'active' AND query = 'SELECT pg_sleep(601)'", 1, 20000);
	live_signal(program, SIGKILL);
	assert_int_equal(live_finish(program, 30000), 128 + SIGKILL);
}

#define SLEEPING(name) "query = 'SELECT pg_sleep(601)' AND application_name LIKE '" name "/%'"

/* The dead process's session is ended; sessions of living processes and of other names stay. */
static void stale_sessions_are_ended(void **state)
{
	(void)state;
	struct live_program *alive = live_pool_start(conninfo, "idle", NULL);
	live_wait_out(alive, "ready", 30000);
	let_die("pooled");
	assert_int_equal(live_sessions(server, SLEEPING("pooled")), 1);
	live_pool_run(conninfo, "heir", "1");
	live_wait_sessions(server, SLEEPING("pooled"), 0, 10000);
	let_die("another");
	live_pool_run(conninfo, "heir", "0");
	assert_int_equal(live_sessions(server, SLEEPING("another")), 1);
	assert_int_equal(live_sessions(server, "application_name LIKE 'pooled/%'"), 1);
	live_sql(server,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " SLEEPING(
			"another"));
	live_signal(alive, SIGTERM);
	assert_int_equal(live_finish(alive, 30000), 128 + SIGTERM);
}

/* Two workers of one name. /proc hides the first, or shows another process: hidepid with a process
 * that is not dumpable, and a /proc of another pid namespace. */
static void hidden_processes_are_not_dead(void **state)
{
	(void)state;
	live_pool_run_apart(conninfo, "hidden", "hidepid");
	live_pool_run_apart(conninfo, "hidden", "foreign");
}

static void name_route(void)
{
	conninfo = live_group_conninfo(LIVE_TCP4, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(one_pool_however_many_start_it),
		LIVE_TEST(another_configuration_is_reported),
		LIVE_TEST(nonsense_is_refused),
		LIVE_TEST(an_unreachable_server_is_reported),
		LIVE_TEST(refused_credentials_are_reported),
		LIVE_TEST(a_full_server_is_reported),
		LIVE_TEST(other_limits_are_reported),
		LIVE_TEST(a_lazy_pool_gives_its_reason),
		LIVE_TEST(it_starts_again_after_the_end),
		LIVE_TEST(connections_are_used_again),
		LIVE_TEST(the_server_knows_who_it_is),
		LIVE_TEST(a_child_has_no_part_in_it),
		LIVE_TEST(a_child_keeps_no_session),
		LIVE_TEST(every_way_out_of_a_scope_releases),
		LIVE_TEST(misuse_is_defined),
		LIVE_TEST(a_crowd_shares_three),
		LIVE_TEST(waiters_are_served_in_order),
		LIVE_TEST(nobody_starves),
		LIVE_TEST(deadlines_are_met),
		LIVE_TEST(no_connection_is_in_two_hands),
		LIVE_TEST(nor_when_it_is_taken_back),
		LIVE_TEST(a_waiter_may_wake_up_late),
		LIVE_TEST(nor_when_the_pool_starts_again),
		LIVE_TEST(nobody_is_forgotten_in_the_queue),
		LIVE_TEST(the_last_release_may_free_it),
		LIVE_TEST(sessions_are_cleaned),
		LIVE_TEST(or_those_whose_results_show_a_change),
		LIVE_TEST(leaks_are_reported_once),
		LIVE_TEST(overdue_connections_are_taken_back),
		LIVE_TEST(connections_wear_out),
		LIVE_TEST(bad_statements_are_not_its_affair),
		LIVE_TEST(killed_backends_are_replaced),
		LIVE_TEST(an_outage_is_survived),
		LIVE_TEST(a_silent_server_does_not_hang_it),
		LIVE_TEST(hooks_run_whatever_happens),
		LIVE_TEST(the_page_has_everything),
		LIVE_TEST(a_page_does_not_look_old),
		LIVE_TEST(stale_sessions_are_ended),
		LIVE_TEST(hidden_processes_are_not_dead),
	};
	return LIVE_GROUP("dbpool_pool", tests, .oldest = 14, .sql = "CREATE ROLE plain LOGIN",
		.set_up = name_route);
}
