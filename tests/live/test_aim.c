/* An emergency that is aimed: --pid, and what a limit that is not the server's allows. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

static void assert_entry(
	json_t *root, const char *list, const struct live_program *program, const char *reason)
{
	json_t *entry = live_find_number(root, list, "pid", live_pid(program));
	CLEANUP(cleanup_free) char *text = json_dumps(root, JSON_INDENT(1));
	const char *found = entry ? live_text(entry, "reason") : NULL;
	if (!found || strcmp(found, reason) != 0)
		fail_msg("%d is not %s: %s", (int)live_pid(program), reason, text);
}

static char *pid_of(const struct live_program *program)
{
	return mem_printf("%d", (int)live_pid(program));
}

static void only_the_named_process_is_stopped(void **state)
{
	(void)state;
	struct live_program *web = live_group_app(NULL, LIVE_TCP4, "web", "idle", "2");
	struct live_program *worker = live_group_app(NULL, LIVE_TCP4, "worker", "active", "2");
	CLEANUP(cleanup_free) char *pid = pid_of(worker);
	const char *conninfo = live_group_conninfo(LIVE_TCP4, "user=app");
	struct live_run run =
		live_dbtop("--emergency", "--yes", "--json", "--pid", pid, conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	json_t *result = live_parse_json(run.out);
	assert_entry(result, "targets", worker, "holds_connections");
	assert_entry(result, "spared", web, "not_named");
	assert_int_equal(json_integer_value(live_member(result, "connections_left")), 0);
	assert_int_equal(live_finish(worker, 5000), 128 + SIGTERM);
	assert_true(live_running(web));
	assert_int_equal(live_sessions(server, "application_name = 'web'"), 2);
	live_wait_sessions(server, "application_name = 'worker'", 0, 5000);
	json_decref(result);
	live_run_clear(&run);
}

static void a_process_without_a_connection_is_not_called_done(void **state)
{
	(void)state;
	struct live_program *web = live_group_app(NULL, LIVE_TCP4, "web", "idle", "1");
	const char *conninfo = live_group_conninfo(LIVE_TCP4, "user=app");
	struct live_run run = live_dbtop("--emergency", "--yes", "--pid", "1", conninfo, NULL);
	assert_int_equal(run.status, 3);
	assert_non_null(strstr(run.err, "process 1 holds no connection to this server"));
	assert_true(live_running(web));
	live_run_clear(&run);
	run = live_dbtop("--emergency", "--pid", "0", conninfo, NULL);
	assert_int_equal(run.status, 2);
	live_run_clear(&run);
	run = live_dbtop("--once", "--pid", "1", conninfo, NULL);
	assert_int_equal(run.status, 2);
	assert_non_null(strstr(run.err, "--pid goes with --emergency"));
	live_run_clear(&run);
}

/* The role or the database has reached its own limit; the server has 20 free slots. */
static void a_limit_stops_only_what_is_named(const char *conninfo, const char *status)
{
	struct live_program *app = live_client(conninfo, "idle", "3", NULL);
	struct live_run run = live_dbtop("--json", conninfo, NULL);
	assert_int_equal(run.status, 3);
	json_t *snapshot = live_parse_json(run.out);
	assert_string_equal(live_text(snapshot, "server.status"), status);
	json_decref(snapshot);
	live_run_clear(&run);

	run = live_dbtop("--emergency", "--yes", "--json", conninfo, NULL);
	assert_int_equal(run.status, 3);
	assert_non_null(strstr(run.err, "the server has room"));
	assert_non_null(strstr(run.err, "connect as another one (-U, or user=)"));
	json_t *result = live_parse_json(run.out);
	assert_entry(result, "spared", app, "unticked");
	json_decref(result);
	live_run_clear(&run);
	assert_true(live_running(app));

	CLEANUP(cleanup_free) char *pid = pid_of(app);
	run = live_dbtop("--emergency", "--yes", "--json", "--pid", pid, conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	result = live_parse_json(run.out);
	assert_entry(result, "targets", app, "holds_connections");
	json_decref(result);
	live_run_clear(&run);
	assert_int_equal(live_finish(app, 5000), 128 + SIGTERM);
}

static void at_a_roles_limit_the_server_has_room(void **state)
{
	(void)state;
	a_limit_stops_only_what_is_named(
		live_group_conninfo(LIVE_TCP4, "user=narrow"), "role_limit");
}

static void at_a_databases_limit_the_server_has_room(void **state)
{
	(void)state;
	a_limit_stops_only_what_is_named(
		live_group_conninfo(LIVE_TCP4, "user=app dbname=narrow"), "database_limit");
}

static void make_database(void)
{
	live_sql(server, "CREATE DATABASE narrow CONNECTION LIMIT 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(only_the_named_process_is_stopped),
		LIVE_TEST(a_process_without_a_connection_is_not_called_done),
		LIVE_TEST(at_a_roles_limit_the_server_has_room),
		LIVE_TEST(at_a_databases_limit_the_server_has_room),
	};
	return LIVE_GROUP("aim", tests,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE narrow LOGIN CONNECTION LIMIT 3",
		.set_up = make_database);
}
