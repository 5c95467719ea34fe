/* dbtop connected through PgBouncer: it leaves no setting behind, ends nothing and says why. And
 * two PgBouncers at one port. */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "term.h"

static const char reason[] = "through a pooler: connect to PostgreSQL itself";

static struct live_pgbouncer *start_pool(const char *mode, int size)
{
	CLEANUP(cleanup_free) char *mode_line = mem_printf("pool_mode = %s", mode);
	CLEANUP(cleanup_free) char *size_line = mem_printf("default_pool_size = %d", size);
	return live_pgbouncer_start(server,
		(const char *const[]){
			mode_line, size_line, "ignore_startup_parameters = options", NULL });
}

/* Returns the settings of the pool's one server connection, and its pid. The application's
 * name is PgBouncer's to set, and it does so for each client. */
static char *settings_of_pool(const char *conninfo)
{
	PGconn *conn = live_connect(conninfo);
	char *settings = live_value(conn,
		"SELECT pg_backend_pid() || ' ' || string_agg(name || '=' || setting, ' ' ORDER BY "
		"name)"
		" FROM pg_settings WHERE source = 'session' AND name <> 'application_name'"
		" OR name IN ('statement_timeout', 'lock_timeout', 'search_path',"
		" 'idle_in_transaction_session_timeout')");
	PQfinish(conn);
	assert_non_null(settings);
	return settings;
}

static struct term *open_dashboard(const char *conninfo)
{
	return term_start(&(struct term_options){ .width = 130, .height = 40 },
		(const char *const[]){
			live_dbtop_path(), "-i", "0.2", "--idle-limit", "0.1", conninfo, NULL });
}

static void quit(struct term *term)
{
	int status;
	term_press(term, "q");
	assert_true(term_wait_exit(term, &status));
	term_end(term);
}

/* While dbtop is connected, and its statements go by the same server connection. */
static void assert_settings(const char *conninfo, const char *expected, const char *when)
{
	CLEANUP(cleanup_free) char *settings = settings_of_pool(conninfo);
	if (strcmp(settings, expected) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", when, settings, expected);
}

static void follow(const char *conninfo, const char *expected)
{
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--json", "--follow", "-i", "0.1", conninfo, NULL);
	live_wait_out(dbtop, "\n", 20000);
	for (size_t count = 0; count < 3;) {
		json_t *last = live_last_json(dbtop, &count);
		assert_true(live_running(dbtop));
		assert_true(json_is_true(live_member(last, "server.pooler")));
		json_decref(last);
		usleep(10 * 1000);
	}
	assert_settings(conninfo, expected, "--json --follow");
	live_free(dbtop);
}

/* The page of locks has a time limit of its own. */
static void look_at_locks(const char *conninfo, const char *expected)
{
	struct term *term = open_dashboard(conninfo);
	assert_true(term_wait_text(term, reason));
	assert_settings(conninfo, expected, "dashboard");
	term_press(term, "l");
	assert_true(term_wait_text(term, "blocks 1"));
	assert_settings(conninfo, expected, "locks");
	term_press(term, "Esc");
	quit(term);
}

static void nothing_is_set_on_the_pools_servers(void **state)
{
	(void)state;
	static const char *const modes[] = { "transaction", "statement" };
	CLEANUP(cleanup_free) char *direct = live_conninfo(server, LIVE_TCP4, NULL);
	PGconn *holder = live_connect(direct);
	live_exec(holder, "CREATE TABLE held ()");
	live_exec(holder, "BEGIN; LOCK TABLE held");
	struct live_program *waiter = live_client(direct, "send", "TABLE held", NULL);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct live_pgbouncer *pgbouncer = start_pool(modes[i], 1);
		CLEANUP(cleanup_free)
		char *conninfo = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, NULL);
		CLEANUP(cleanup_free) char *before = settings_of_pool(conninfo);
		follow(conninfo, before);
		CLEANUP(cleanup_free) char *between = settings_of_pool(conninfo);
		look_at_locks(conninfo, between);
		live_pgbouncer_stop(pgbouncer);
	}
	live_free(waiter);
	live_exec(holder, "ROLLBACK; DROP TABLE held");
	PQfinish(holder);
}

static void no_session_is_called_own(void **state)
{
	(void)state;
	int status;
	struct live_pgbouncer *pgbouncer = start_pool("transaction", 4);
	CLEANUP(cleanup_free)
	char *conninfo = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *direct = live_conninfo(server, LIVE_TCP4, NULL);
	json_t *root = live_dbtop_json(&status, conninfo, NULL);
	assert_true(json_is_true(live_member(root, "server.pooler")));
	assert_string_equal(live_text(root, "server.status"), "ok");
	assert_null(live_find_text(root, "connections", "protected", "own"));
	assert_true(json_array_size(json_object_get(root, "connections")) > 0);
	assert_int_equal(status, 0);
	json_decref(root);
	root = live_dbtop_json(&status, direct, NULL);
	assert_true(json_is_false(live_member(root, "server.pooler")));
	assert_non_null(live_find_text(root, "connections", "protected", "own"));
	json_decref(root);
	struct live_run run = live_dbtop("--once", conninfo, NULL);
	assert_non_null(strstr(run.out, reason));
	live_run_clear(&run);
	run = live_dbtop("--once", direct, NULL);
	assert_null(strstr(run.out, reason));
	live_run_clear(&run);
}

static void assert_refused(const char *mode, const char *option, const char *conninfo)
{
	struct live_run run =
		live_dbtop(mode, option, "--json", "--idle-limit", "0.1", conninfo, NULL);
	json_t *result = json_loads(run.out, 0, NULL);
	if (run.status != 3 || !strstr(run.err, reason) || !result)
		fail_msg("%s %s: status %d, \"%s\", \"%s\"", mode, option, run.status, run.out,
			run.err);
	assert_int_equal(json_array_size(json_object_get(result, "targets")), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "terminated")), 0);
	assert_int_equal(json_array_size(json_object_get(result, "survivors")), 0);
	json_decref(result);
	live_run_clear(&run);
}

static void nothing_is_ended(void **state)
{
	(void)state;
	static const char *const keys[] = { "k", "K", "c", "E" };
	struct live_pgbouncer *pgbouncer = start_pool("transaction", 4);
	CLEANUP(cleanup_free)
	char *conninfo = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_program *client = live_client(app, "idle", "2", NULL);
	live_wait_sessions(server,
		"usename = 'app' AND state_change < clock_timestamp() - interval '200 ms'", 2,
		10000);
	assert_refused("--kill-leaked", "--yes", conninfo);
	assert_refused("--kill-leaked", "--dry-run", conninfo);
	assert_refused("--emergency", "--yes", conninfo);
	assert_refused("--emergency", "--dry-run", conninfo);
	struct term *term = open_dashboard(conninfo);
	assert_true(term_wait_text(term, "2 leaked"));
	CLEANUP(cleanup_free) char *title = term_line(term, 0);
	assert_non_null(strstr(title, reason));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		int y = -1;
		term_press(term, keys[i]);
		assert_true(term_settle(term));
		/* the title, and the notice */
		CLEANUP(cleanup_free) char *text = term_text(term);
		char *first = strstr(text, reason);
		if (!first || !strstr(first + 1, reason))
			fail_msg("%s is not refused:\n%s", keys[i], text);
		/* the notice goes with the next key */
		term_press(term, "Down");
		assert_true(term_settle(term));
		assert_true(term_find(term, reason, NULL, &y));
		assert_int_equal(y, 0);
	}
	quit(term);
	assert_true(live_running(client));
	assert_int_equal(live_sessions(server, "usename = 'app'"), 2);
}

/* Its statements would run under any search_path, and for any time. */
static void a_session_that_cannot_be_set_up_is_not_used(void **state)
{
	(void)state;
	int status;
	live_sql(server, "CREATE DATABASE strict");
	CLEANUP(cleanup_free) char *super = live_conninfo(server, LIVE_UNIX, "dbname=strict");
	CLEANUP(cleanup_free)
	char *app = live_conninfo(server, LIVE_TCP4, "user=app dbname=strict");
	PGconn *conn = live_connect(super);
	live_exec(conn,
		"REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, bool) FROM PUBLIC");
	PQfinish(conn);
	json_t *root = live_dbtop_json(&status, app, NULL);
	assert_int_equal(status, 3);
	assert_non_null(strstr(live_text(root, "server.error"), "set_config"));
	assert_true(json_is_null(live_member(root, "slots.used")));
	assert_int_equal(json_array_size(json_object_get(root, "connections")), 0);
	json_decref(root);
}

/* dbtop itself came through it, and nothing shows whose the sessions are. */
static void through_a_pooler_its_sessions_are_the_poolers(void **state)
{
	(void)state;
	struct live_pgbouncer *pgbouncer = start_pool("transaction", 4);
	CLEANUP(cleanup_free)
	char *app = live_pgbouncer_conninfo(pgbouncer, LIVE_UNIX, "user=app dbname=postgres");
	live_free(live_client(app, "idle", NULL));
	live_wait_sessions(server, "usename = 'app' AND state = 'idle'", 1, 20000);
	live_wait_sessions(server,
		"usename = 'app' AND state_change > clock_timestamp() - interval '200ms'", 0,
		20000);
	CLEANUP(cleanup_free)
	char *ours = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=postgres dbname=postgres");
	int status;
	json_t *root = live_dbtop_json(&status, ours, "--idle-limit", "100ms", NULL);
	assert_true(json_is_true(live_member(root, "server.pooler")));
	json_t *found = live_find_text(root, "connections", "user", "app");
	assert_string_equal(live_text(found, "protected"), "pooler");
	assert_non_null(strstr(live_text(found, "evidence"), "--pgbouncer"));
	assert_int_equal(status, 0);
	json_decref(root);
	live_pgbouncer_stop(pgbouncer);
}

/* Nothing is set in a pooler's session, so a text may not come as bytes. */
static void through_a_pooler_one_strange_text_costs_the_texts(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *ascii = live_conninfo(server, LIVE_TCP4, "user=app dbname=ascii");
	(void)live_client(ascii, "sql", "SELECT '\xe9\xff'", NULL);
	struct live_pgbouncer *pgbouncer = start_pool("transaction", 4);
	CLEANUP(cleanup_free)
	char *ours = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=postgres dbname=ascii");
	int status;
	json_t *root = live_dbtop_json(&status, ours, NULL);
	json_t *found = live_find_text(root, "connections", "user", "app");
	assert_string_equal(live_text(found, "status"), "idle");
	const char *error = live_text(json_array_get(json_object_get(root, "sources"), 0), "error");
	assert_non_null(error);
	assert_non_null(strstr(error, "statements, listeners"));
	assert_int_equal(status, 0);
	json_decref(root);
	live_pgbouncer_stop(pgbouncer);
}

struct pair_report {
	const char *conninfo, *console;
	json_t *root;
};

/* A report does without a console that has not answered in time, as on a busy machine. */
static bool console_has_answered(void *data)
{
	struct pair_report *report = data;
	json_decref(report->root);
	report->root = live_dbtop_json(NULL, report->conninfo, "--idle-limit", "100ms",
		"--pgbouncer", report->console, NULL);
	size_t i;
	json_t *source;
	json_array_foreach(live_member(report->root, "sources"), i, source)
	{
		const char *name = live_text(source, "name"), *status = live_text(source, "status");
		if (name && strncmp(name, "pgbouncer", 9) == 0)
			return status && strcmp(status, "ok") == 0;
	}
	fail_msg("no PgBouncer among the sources");
	return false;
}

/* Two PgBouncers at one port: the console that answers knows only one of them. */
static void each_of_two_pgbouncers_at_a_port_has_its_reserve(void **state)
{
	(void)state;
	static const char *const settings[] = { "pool_mode = transaction", "so_reuseport = 1",
		NULL };
	struct live_pgbouncer *pair[2];
	pair[0] = live_pgbouncer_start(server, settings);
	pair[1] = live_pgbouncer_twin(pair[0], server);
	static const char *const roles[] = { "user=app dbname=postgres",
		"user=stats dbname=postgres" };
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(cleanup_free)
		char *conninfo = live_pgbouncer_conninfo(pair[i], LIVE_UNIX, roles[i]);
		live_free(live_client(conninfo, "idle", NULL));
	}
	live_wait_sessions(server, "usename IN ('app', 'stats') AND state = 'idle'", 2, 20000);
	live_wait_sessions(server,
		"usename IN ('app', 'stats') AND state_change > clock_timestamp() - interval "
		"'200ms'",
		0, 20000);
	CLEANUP(cleanup_free)
	char *console = live_pgbouncer_conninfo(pair[0], LIVE_TCP4, "user=admin dbname=pgbouncer");
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_TCP4, NULL);
	struct pair_report report = { ours, console };
	assert_true(live_wait(console_has_answered, &report, 60000));
	int asked_ones = 0;
	for (size_t i = 0; i < 2; i++) {
		json_t *found =
			live_find_text(report.root, "connections", "user", i ? "stats" : "app");
		const char *protection = live_text(found, "protected");
		assert_non_null(protection);
		asked_ones += strcmp(protection, "pgbouncer_server") == 0;
		if (strcmp(protection, "pgbouncer_server") != 0)
			assert_string_equal(protection, "pooler");
	}
	assert_int_equal(asked_ones, 1);
	json_decref(report.root);
	live_pgbouncer_stop(pair[0]);
	live_pgbouncer_stop(pair[1]);
}

static void make_database(void)
{
	live_sql(server,
		"CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'"
		" LC_COLLATE 'C' LC_CTYPE 'C'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(nothing_is_set_on_the_pools_servers),
		LIVE_TEST(no_session_is_called_own),
		LIVE_TEST(nothing_is_ended),
		LIVE_TEST(a_session_that_cannot_be_set_up_is_not_used),
		LIVE_TEST(through_a_pooler_its_sessions_are_the_poolers),
		LIVE_TEST(through_a_pooler_one_strange_text_costs_the_texts),
		LIVE_TEST(each_of_two_pgbouncers_at_a_port_has_its_reserve),
	};
	return LIVE_GROUP("pooler", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=40", NULL },
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE stats LOGIN", .set_up = make_database);
}
