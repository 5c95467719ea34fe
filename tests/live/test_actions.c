/* --kill-leaked on a real server: what is planned, sessions that became active again, refusals, and
 * an audit log that cannot be written. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static PGconn *connect_app(void)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	return live_connect(conninfo);
}

static json_t *target_of(json_t *root, int pid)
{
	json_t *target = live_find_number(root, "targets", "pid", pid);
	if (!target)
		fail_msg("%d is no target: %s", pid, json_dumps(root, JSON_INDENT(1)));
	return target;
}

static void assert_contains(const char *text, const char *words)
{
	if (!text || !strstr(text, words))
		fail_msg("\"%s\" is not in: %s", words, text ? text : "(nothing)");
}

static void a_plan_names_all_that_is_lost(void **state)
{
	(void)state;
	PGconn *holder = connect_app(), *waiter = connect_app();
	live_exec(holder, "BEGIN; UPDATE thing SET id = id /* holds */");
	assert_int_equal(PQsendQuery(waiter, "UPDATE thing SET id = 2"), 1);
	live_wait_sessions(server, "wait_event_type = 'Lock'", 1, 10000);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_run run = live_dbtop("--kill-leaked", "--dry-run", "--json",
		"--transaction-limit", "1ms", conninfo, NULL);
	assert_int_equal(run.status, 1);
	json_t *result = live_parse_json(run.out);
	json_t *target = target_of(result, PQbackendPID(holder));
	assert_int_equal(json_integer_value(live_member(target, "locks")), 1);
	assert_int_equal(json_integer_value(live_member(target, "waiters")), 1);
	assert_contains(live_text(target, "loses"), "open transaction");
	assert_contains(live_text(target, "loses"), "1 lock, 1 waits for it");
	assert_contains(live_text(target, "query"), "/* holds */");
	assert_int_equal(json_integer_value(live_member(target, "process_pid")), getpid());
	json_decref(result);
	live_run_clear(&run);
	run = live_dbtop(
		"--kill-leaked", "--dry-run", "--transaction-limit", "1ms", conninfo, NULL);
	assert_contains(run.out, "query: BEGIN; UPDATE thing SET id = id /* holds */");
	assert_contains(run.out, "1 lock, 1 waits for it");
	live_run_clear(&run);
	PQfinish(holder);
	PQfinish(waiter);
}

/* A session that came to rest less than 50 ms ago counts as alive, and is left alone. */
static void wait_for_rest(void)
{
	live_wait_sessions(server,
		"usename = 'app' AND state_change > clock_timestamp() - interval '100 ms'", 0,
		10000);
}

/* Between the plan, which is on the screen, and the answer. */
static void who_came_back_to_life_is_left_alone(void **state)
{
	(void)state;
	PGconn *alive = connect_app(), *dead = connect_app();
	live_exec(alive, "BEGIN; SELECT 1");
	live_exec(dead, "BEGIN; SELECT 1");
	wait_for_rest();
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	const struct live_program_options terminal = { .terminal = true };
	struct live_program *dbtop = live_dbtop_start(
		&terminal, "--kill-leaked", "--json", "--transaction-limit", "1ms", conninfo, NULL);
	live_wait_err(dbtop, "End 2 connections?", 20000);
	live_exec(alive, "COMMIT");
	live_exec(alive, "BEGIN; SELECT 2");
	live_type(dbtop, "y\n");
	assert_int_equal(live_finish(dbtop, 20000), 0);
	json_t *result = live_parse_json(live_out(dbtop));
	assert_string_equal(live_text(target_of(result, PQbackendPID(alive)), "result"), "changed");
	assert_string_equal(
		live_text(target_of(result, PQbackendPID(dead)), "result"), "terminated");
	assert_int_equal(json_integer_value(live_member(result, "terminated")), 1);
	assert_int_equal(json_array_size(live_member(result, "survivors")), 0);
	assert_int_equal(live_number(alive, "SELECT 42"), 42);
	json_decref(result);
	PQfinish(alive);
	PQfinish(dead);
}

static void a_refusal_is_a_line_with_the_grant(void **state)
{
	(void)state;
	PGconn *app = connect_app();
	live_exec(app, "BEGIN; SELECT 1");
	wait_for_rest();
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=watcher");
	struct live_run run = live_dbtop(
		"--kill-leaked", "--yes", "--json", "--transaction-limit", "1ms", conninfo, NULL);
	assert_int_equal(run.status, 1);
	json_t *result = live_parse_json(run.out);
	json_t *target = target_of(result, PQbackendPID(app));
	assert_string_equal(live_text(target, "result"), "denied");
	assert_string_equal(live_text(target, "detail"), "GRANT pg_signal_backend TO watcher;");
	assert_int_equal(json_integer_value(json_array_get(live_member(result, "survivors"), 0)),
		PQbackendPID(app));
	assert_int_equal(live_number(app, "SELECT 42"), 42);
	json_decref(result);
	live_run_clear(&run);
	PQfinish(app);
}

/* What cannot be audited is not done; a log of dbtop's own stops nothing. */
static void kill_with(const char *script, const char *words, bool audited)
{
	PGconn *app = connect_app();
	live_exec(app, "BEGIN; SELECT 1");
	wait_for_rest();
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *log = mem_printf("%s/full.log", live_folder());
	const struct live_program_options options = {
		.argv = (const char *const[]){ "sh", "-c", script, "sh", live_dbtop_path(),
			"--kill-leaked", "--yes", "--transaction-limit", "1ms", "--log", log,
			conninfo, NULL },
	};
	struct live_run run = live_run(&options, 20000);
	if (run.status != (audited ? 0 : 3))
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	CLEANUP(cleanup_free) char *all = mem_printf("%s%s", run.out, run.err);
	assert_contains(all, audited ? "ended 1 of 1 leaked connection" : "nothing was ended");
	assert_contains(all, words);
	live_wait_sessions(server, "usename = 'app'", audited ? 0 : 1, 5000);
	live_run_clear(&run);
	/* the next plan is not to find this session */
	live_disconnect(app);
}

static void a_full_disk_stops_a_kill_that_asks_nobody(void **state)
{
	(void)state;
	/* the same errors as of a full disk: nothing may be written to a file */
	static const char script[] =
		"exec bash -o pipefail -c '(ulimit -f 0; \"$@\") 2>&1 | cat' bash \"$@\"";
	kill_with(script, "actions.jsonl cannot be written: File too large", false);
	kill_with(script, "full.log cannot be written: File too large", false);
	/* the real one */
	CLEANUP(cleanup_free) char *log = mem_printf("%s/full.log", live_folder());
	(void)!unlink(log);
	assert_int_equal(symlink("/dev/full", log), 0);
	kill_with("exec \"$@\"", "full.log cannot be written: No space left on device", true);
	assert_int_equal(unlink(log), 0);
}

static void without_an_audit_log_nothing_is_ended(void **state)
{
	(void)state;
	kill_with("XDG_STATE_HOME=/proc/none exec \"$@\"",
		"/proc/none/dbtop/actions.jsonl cannot be written", false);
	kill_with("unset XDG_STATE_HOME HOME; exec \"$@\"",
		"there is no audit log: neither XDG_STATE_HOME nor HOME is set", false);
}

static void a_server_that_vanishes_ends_no_one_and_hangs_nothing(void **state)
{
	(void)state;
	struct private_server *other = live_server_start(NULL);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(other, LIVE_TCP4, NULL);
	PGconn *app = live_connect(conninfo);
	live_exec(app, "BEGIN; SELECT 1");
	wait_for_rest();
	const struct live_program_options terminal = { .terminal = true };
	struct live_program *dbtop = live_dbtop_start(
		&terminal, "--kill-leaked", "--json", "--transaction-limit", "1ms", conninfo, NULL);
	live_wait_err(dbtop, "End 1 connection?", 20000);
	private_server_stop(other);
	live_type(dbtop, "y\n");
	assert_int_equal(live_finish(dbtop, 30000), 1);
	json_t *result = live_parse_json(live_out(dbtop));
	assert_string_equal(live_text(target_of(result, PQbackendPID(app)), "result"), "timeout");
	json_decref(result);
	PQfinish(app);
}

static void more_than_the_limit_is_reported_before_the_question(void **state)
{
	(void)state;
	PGconn *first = connect_app(), *second = connect_app();
	live_exec(first, "BEGIN; SELECT 1");
	live_exec(second, "BEGIN; SELECT 1");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "limit.yaml", "kill_limit: 1\n");
	const struct live_program_options terminal = { .terminal = true };
	struct live_program *dbtop = live_dbtop_start(&terminal, "--kill-leaked", "--config",
		config, "--transaction-limit", "1ms", conninfo, NULL);
	live_wait_err(dbtop, "2 sessions would be ended within a minute, the limit is 1", 20000);
	live_wait_err(dbtop, "End 2 connections?", 20000);
	live_type(dbtop, "n\n");
	assert_int_equal(live_finish(dbtop, 20000), 1);
	assert_int_equal(live_number(first, "SELECT 42"), 42);
	assert_int_equal(live_number(second, "SELECT 42"), 42);
	PQfinish(first);
	PQfinish(second);
}

/* Found by its application_name or its process; any other session is out of reach, leaked or not.
 */
static void nobody_out_of_scope_is_ended(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	static const char *const names[] = { "web", "worker", "web-admin" };
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(cleanup_free)
		char *more = mem_printf("user=app application_name=%s", names[i]);
		CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, more);
		(void)live_client(app, "transaction", "1", NULL);
	}
	struct live_run run = live_dbtop("--kill-leaked", "--yes", "--json", "--transaction-limit",
		"1ms", "--app", "^w.*r$", conninfo, NULL);
	assert_int_equal(run.status, 0);
	json_t *result = live_parse_json(run.out);
	assert_int_equal(json_array_size(live_member(result, "targets")), 1);
	assert_string_equal(
		live_text(json_array_get(live_member(result, "targets"), 0), "application_name"),
		"worker");
	live_wait_sessions(server, "application_name = 'worker'", 0, 10000);
	assert_int_equal(live_sessions(server, "application_name LIKE 'web%'"), 2);
	json_decref(result);
	live_run_clear(&run);
}

/* The statements of README.md that make dbtop's role, without the last one where the server is too
 * old for it. The caller frees them. */
static char *readme_statements(int version)
{
	CLEANUP(cleanup_free) char *text = live_read("README.md");
	char *begin = text ? strstr(text, "CREATE ROLE dbtop") : NULL;
	char *end = begin ? strstr(begin, "```") : NULL;
	if (!end)
		fail_msg("README.md has no such statements");
	*end = '\0';
	char *newest = strstr(begin, "GRANT pg_use_reserved_connections");
	if (!newest || strstr(newest + 1, "GRANT "))
		fail_msg("the last statement is another one: %s", begin);
	if (version < 160000)
		*newest = '\0';
	return mem_strdup(begin);
}

/* Takes the slots that a plain role may use; returns how many. */
static size_t fill_server(PGconn *conns[static 40])
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	size_t n = 0;
	for (; n < 40; n++) {
		conns[n] = PQconnectdb(conninfo);
		if (PQstatus(conns[n]) != CONNECTION_OK)
			break;
	}
	assert_in_range(n, 10, 39);
	return n + 1;
}

static int make_readmes_role(void)
{
	CLEANUP(cleanup_free) char *super = live_conninfo(server, LIVE_UNIX, NULL);
	PGconn *conn = live_connect(super);
	char error[PRIVATE_SERVER_ERROR_MAX];
	int version = PQserverVersion(conn);
	CLEANUP(cleanup_free) char *statements = readme_statements(version);
	live_exec(conn, statements);
	if (version >= 160000)
		live_exec(conn, "ALTER SYSTEM SET reserved_connections = 1");
	PQfinish(conn);
	if (version >= 160000 && private_server_restart(server, error) < 0)
		fail_msg("restart: %s", error);
	return version;
}

/* It sees and ends the sessions of others and, from version 16 on, comes into a full server. */
static void the_role_of_the_readme_has_its_rights(void **state)
{
	(void)state;
	int version = make_readmes_role(), status;
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "user=dbtop password='…'");
	PGconn *app = connect_app(), *crowd[40];
	live_exec(app, "BEGIN; SELECT 1");
	wait_for_rest();
	json_t *root = live_dbtop_json(&status, conninfo, NULL);
	json_t *row = live_find_number(root, "connections", "pid", PQbackendPID(app));
	assert_int_equal(status, 0);
	assert_string_equal(live_text(row, "state"), "idle in transaction");
	json_decref(root);
	struct live_run run = live_dbtop(
		"--kill-leaked", "--yes", "--json", "--transaction-limit", "1ms", conninfo, NULL);
	json_t *result = live_parse_json(run.out);
	assert_string_equal(
		live_text(target_of(result, PQbackendPID(app)), "result"), "terminated");
	json_decref(result);
	live_run_clear(&run);
	live_disconnect(app);
	/* a session that ends later would leave a free slot */
	live_wait_sessions(server, NULL, 0, 10000);
	size_t n = fill_server(crowd);
	root = live_dbtop_json(NULL, conninfo, NULL);
	assert_string_equal(live_text(root, "server.status"), version < 160000 ? "full" : "ok");
	json_decref(root);
	while (n > 0)
		PQfinish(crowd[--n]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_plan_names_all_that_is_lost),
		LIVE_TEST(who_came_back_to_life_is_left_alone),
		LIVE_TEST(nobody_out_of_scope_is_ended),
		LIVE_TEST(a_refusal_is_a_line_with_the_grant),
		LIVE_TEST(a_full_disk_stops_a_kill_that_asks_nobody),
		LIVE_TEST(without_an_audit_log_nothing_is_ended),
		LIVE_TEST(a_server_that_vanishes_ends_no_one_and_hangs_nothing),
		LIVE_TEST(more_than_the_limit_is_reported_before_the_question),
		/* the last one: it may restart the server */
		LIVE_TEST(the_role_of_the_readme_has_its_rights),
	};
	return LIVE_GROUP("actions", tests,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE watcher LOGIN;"
		       "GRANT pg_monitor TO watcher;"
		       "CREATE TABLE thing AS SELECT 1 AS id; GRANT ALL ON thing TO app");
}
