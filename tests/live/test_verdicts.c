/* Each verdict, provoked by a real client and read from dbtop --json. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static const char *const matched_by[] = {
	[LIVE_UNIX] = "unix",
	[LIVE_TCP4] = "tcp",
	[LIVE_TCP6] = "tcp",
};

static json_t *of_user(json_t *root, const char *user)
{
	json_t *found = live_find_text(root, "connections", "user", user);
	if (!found)
		fail_msg("no session of %s", user);
	return found;
}

static void assert_text(json_t *object, const char *path, const char *expected)
{
	const char *found = live_text(object, path);
	if (expected ? !found || strcmp(found, expected) != 0 : found != NULL) {
		char *text = json_dumps(object, JSON_INDENT(1));
		fail_msg("%s is not %s: %s", path, expected ? expected : "null", text);
	}
}

static void assert_leaked(json_t *connection, const char *reason, const char *certainty)
{
	assert_text(connection, "status", "leaked");
	assert_text(connection, "reason", reason);
	assert_text(connection, "certainty", certainty);
	assert_text(connection, "protected", NULL);
}

static void assert_protected(json_t *connection, const char *status, const char *protection)
{
	assert_text(connection, "status", status);
	assert_text(connection, "reason", NULL);
	assert_text(connection, "certainty", NULL);
	assert_text(connection, "protected", protection);
}

static long number(json_t *root, const char *path)
{
	return (long)json_integer_value(live_member(root, path));
}

/* Until the state of each session is older than so many milliseconds. */
static void wait_for_age(int ms)
{
	char where[100];
	snprintf(
		where, sizeof(where), "state_change > clock_timestamp() - %d * interval '1ms'", ms);
	live_wait_sessions(server, where, 0, 10000);
}

static void kill_at_work(enum live_route theirs, enum live_route ours)
{
	CLEANUP(cleanup_free) char *app = live_conninfo(server, theirs, "user=app");
	CLEANUP(cleanup_free) char *own = live_conninfo(server, ours, NULL);
	struct live_program *client = live_client(app, "active", NULL);
	live_wait_sessions(server, "usename = 'app' AND state = 'active'", 1, 10000);
	int status;
	json_t *root = live_dbtop_json(&status, own, NULL);
	assert_int_equal(status, 0);
	assert_protected(of_user(root, "app"), "active", NULL);
	json_decref(root);
	live_free(client);
	live_wait_dbtops_gone(server);
	root = live_dbtop_json(&status, own, NULL);
	assert_int_equal(status, 1);
	assert_leaked(of_user(root, "app"), "client_gone", "proven");
	assert_text(of_user(root, "app"), "state", "active");
	assert_int_equal(number(root, "slots.leaked"), 1);
	json_decref(root);
}

/* Whichever way the client came, and whichever dbtop. */
static void client_killed_at_work_is_gone(void **state)
{
	for (size_t i = 0; i < ROUTES; i++) {
		kill_at_work(routes[i], routes[i]);
		live_group_clean_up(state);
		kill_at_work(routes[i], routes[(i + 1) % ROUTES]);
		live_group_clean_up(state);
	}
}

/* dbtop has a session of the same user, which may come first. */
static json_t *of_doomed(json_t *root)
{
	return live_find_text(root, "connections", "application_name", "doomed");
}

/* The kernel closes a process's sockets before it is gone. */
static bool is_leaked_by_the_dead(json_t *root, void *data)
{
	const pid_t *pid = data;
	const char *status = live_text(of_doomed(root), "status");
	json_t *process = live_find_number(root, "processes", "pid", *pid);
	return status && strcmp(status, "leaked") == 0 && process &&
		json_is_false(live_member(process, "alive"));
}

static bool has_process(json_t *root, void *data)
{
	(void)data;
	return json_is_integer(live_member(of_doomed(root), "process.pid"));
}

static void the_process_of_a_client_that_is_gone_is_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROUTES; i++) {
		CLEANUP(cleanup_free) char *app = live_conninfo(server, routes[i], "user=app");
		CLEANUP(cleanup_free)
		char *doomed = live_conninfo(server, routes[i], "user=app application_name=doomed");
		struct live_program *client = live_client(doomed, "active", NULL);
		pid_t pid = live_pid(client);
		struct live_program *dbtop =
			live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2", app, NULL);
		json_decref(
			live_await_json(dbtop, has_process, NULL, "the client's process", 20000));
		live_free(client);
		/* dbtop is of the same user: it leaks nothing */
		json_t *root = live_await_json(
			dbtop, is_leaked_by_the_dead, &pid, "a leaked session", 20000);
		json_t *found = live_find_text(root, "connections", "status", "leaked");
		assert_leaked(found, "client_gone", "proven");
		assert_int_equal(number(found, "process.pid"), pid);
		assert_text(found, "process.name", "live_client");
		assert_text(found, "process.matched_by", matched_by[routes[i]]);
		json_t *process = live_find_number(root, "processes", "pid", pid);
		assert_int_equal(number(process, "leaked"), 1);
		json_decref(root);
		live_group_clean_up(state);
	}
}

static void idle_in_transaction_for_too_long(void **state)
{
	(void)state;
	static const char *const roles[] = { "transaction", "aborted" };
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
		live_client(app, roles[i], NULL);
		wait_for_age(300);
		int status;
		json_t *root = live_dbtop_json(
			&status, app, "--transaction-limit", "100ms", "--idle-limit", "1h", NULL);
		assert_int_equal(status, 1);
		json_t *found = live_find_text(root, "connections", "process.name", "live_client");
		assert_leaked(found, "idle_in_transaction_too_long", "presumed");
		json_decref(root);
		live_wait_dbtops_gone(server);
		root = live_dbtop_json(
			&status, app, "--transaction-limit", "1h", "--idle-limit", "100ms", NULL);
		assert_int_equal(status, 0);
		found = live_find_text(root, "connections", "process.name", "live_client");
		assert_protected(found, "idle_in_transaction", NULL);
		assert_true(json_number_value(live_member(found, "seconds")) > 0.3);
		json_decref(root);
		live_group_clean_up(state);
	}
}

static void idle_for_too_long(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP6, "user=app");
	live_client(app, "idle", NULL);
	wait_for_age(300);
	int status;
	json_t *root = live_dbtop_json(&status, app, "--idle-limit", "0.1", NULL);
	assert_int_equal(status, 1);
	json_t *found = live_find_text(root, "connections", "process.name", "live_client");
	assert_leaked(found, "idle_too_long", "presumed");
	json_decref(root);
	live_wait_dbtops_gone(server);
	root = live_dbtop_json(&status, app, "--idle-limit", "1h", NULL);
	assert_int_equal(status, 0);
	found = live_find_text(root, "connections", "process.name", "live_client");
	assert_protected(found, "idle", NULL);
	json_decref(root);
}

static void each_protection_holds_against_a_presumption(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free)
	char *named = live_conninfo(server, LIVE_TCP4, "user=app application_name=cron-7");
	CLEANUP(cleanup_free) char *cleaner = live_conninfo(server, LIVE_UNIX, "user=cleaner");
	CLEANUP(cleanup_free) char *system = live_conninfo(server, LIVE_TCP4, "user=cloudsqladmin");
	CLEANUP(cleanup_free)
	char *replication = live_conninfo(server, LIVE_UNIX, "replication=database");
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_TCP4, "user=watcher");
	struct {
		const char *conninfo, *role, *argument, *status, *protection;
		pid_t pid;
	} rows[] = {
		{ app, "listen", NULL, "idle", "listener", 0 },
		{ app, "lock", NULL, "idle", "advisory_lock", 0 },
		{ app, "sql", "BEGIN; SELECT pg_advisory_xact_lock(7); SELECT 1",
			"idle_in_transaction", "advisory_lock", 0 },
		{ named, "idle", NULL, "idle", "application", 0 },
		{ cleaner, "transaction", NULL, "idle_in_transaction", "user", 0 },
		{ system, "idle", NULL, "idle", "system", 0 },
		{ replication, "sql", "IDENTIFY_SYSTEM", "idle", "system", 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rows[i].pid = live_pid(
			live_client(rows[i].conninfo, rows[i].role, rows[i].argument, NULL));
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "protect.yaml",
		"protect:\n  applications: [cron-*]\n  users: [cleaner]\n"
		"leaks:\n  idle: 50ms\n  transaction: 50ms\n");
	wait_for_age(100);
	int status;
	json_t *root = live_dbtop_json(&status, ours, "-c", config, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *found = live_find_number(root, "connections", "process.pid", rows[i].pid);
		if (!found)
			fail_msg("no session with %s", rows[i].protection);
		assert_protected(found, rows[i].status, rows[i].protection);
	}
	assert_protected(of_user(root, "watcher"), "active", "own");
	assert_int_equal(status, 0);
	json_decref(root);
}

/* … and of the proven leaks only own, system, application and user do. */
static void lock_and_listen_do_not_hold_against_a_proof(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free)
	char *named = live_conninfo(server, LIVE_TCP4, "user=app application_name=cron-7");
	CLEANUP(cleanup_free) char *cleaner = live_conninfo(server, LIVE_TCP4, "user=cleaner");
	static const char sleep_sql[] = "SELECT pg_sleep(3600)";
	live_free(live_client(app, "send", "SELECT pg_advisory_lock(1)", sleep_sql, NULL));
	live_free(live_client(named, "send", sleep_sql, NULL));
	live_free(live_client(cleaner, "send", sleep_sql, NULL));
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "protect.yaml",
		"protect:\n  applications: [cron-*]\n  users: [cleaner]\n");
	int status;
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_TCP4, "user=watcher");
	json_t *root = live_dbtop_json(&status, ours, "-c", config, NULL);
	assert_int_equal(status, 1);
	assert_leaked(live_find_text(root, "connections", "application_name", ""), "client_gone",
		"proven");
	assert_protected(live_find_text(root, "connections", "application_name", "cron-7"),
		"active", "application");
	assert_protected(of_user(root, "cleaner"), "active", "user");
	json_decref(root);
}

static void what_a_role_may_not_see_is_unknown(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *plain = live_conninfo(server, LIVE_TCP4, "user=plain");
	live_free(live_client(app, "active", NULL));
	live_client(app, "idle", NULL);
	live_client(plain, "idle", NULL);
	wait_for_age(100);
	int status;
	json_t *root = live_dbtop_json(&status, plain, "--idle-limit", "1h", NULL);
	assert_int_equal(status, 3);
	assert_int_equal(number(root, "slots.unknown"), 2);
	assert_int_equal(number(root, "slots.idle"), 1);
	assert_int_equal(number(root, "slots.leaked"), 0);
	json_t *found = of_user(root, "app");
	assert_protected(found, "unknown", NULL);
	static const char *const unseen[] = { "backend_start", "state", "state_change", "query",
		"client_addr", "client_port", "seconds", "process" };
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		assert_true(json_is_null(live_member(found, unseen[i])));
	json_decref(root);
	/* "nothing to end" is reported only of what could be seen */
	static const char *const forms[] = { "--dry-run", "--yes" };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		live_wait_dbtops_gone(server);
		struct live_run run =
			live_dbtop("--kill-leaked", forms[i], "--idle-limit", "1h", plain, NULL);
		assert_int_equal(run.status, 3);
		live_run_clear(&run);
	}
	/* a leak that is seen is reported, whatever else is hidden */
	live_wait_dbtops_gone(server);
	root = live_dbtop_json(&status, plain, "--idle-limit", "0.01", NULL);
	assert_int_equal(status, 1);
	assert_int_equal(number(root, "slots.leaked"), 1);
	json_decref(root);
}

static void scope_narrows_what_counts(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free)
	char *named = live_conninfo(server, LIVE_TCP4, "user=app application_name=cron-7");
	live_client(app, "idle", NULL);
	live_client(named, "idle", NULL);
	wait_for_age(100);
	int status;
	json_t *root = live_dbtop_json(&status, app, "--idle-limit", "0.01", "-a", "nobody", NULL);
	assert_int_equal(status, 0);
	json_decref(root);
	root = live_dbtop_json(&status, app, "--idle-limit", "0.01", "-a", "^cron", NULL);
	assert_int_equal(status, 1);
	json_decref(root);
	root = live_dbtop_json(&status, app, "--idle-limit", "0.01", "-a", "^live_client$", NULL);
	assert_int_equal(status, 1);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(client_killed_at_work_is_gone),
		LIVE_TEST(the_process_of_a_client_that_is_gone_is_reported),
		LIVE_TEST(idle_in_transaction_for_too_long),
		LIVE_TEST(idle_for_too_long),
		LIVE_TEST(each_protection_holds_against_a_presumption),
		LIVE_TEST(lock_and_listen_do_not_hold_against_a_proof),
		LIVE_TEST(what_a_role_may_not_see_is_unknown),
		LIVE_TEST(scope_narrows_what_counts),
	};
	return LIVE_GROUP("verdicts", tests,
		.settings = (const char *const[]){ "max_connections=60", NULL },
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE plain LOGIN;"
		       "CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher;"
		       "CREATE ROLE cloudsqladmin LOGIN; CREATE ROLE cleaner LOGIN");
}
