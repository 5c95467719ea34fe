/* One strange row, one right that is missing: each costs only what cannot be had, and is reported
 * with its reason. */
#include "live.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "term.h"

static struct private_server *server;

static int start_server(void **state)
{
	(void)state;
	server = live_server_start((const char *const[]){ "max_connections=40", NULL });
	live_sql(server,
		"CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher; CREATE ROLE app LOGIN");
	live_sql(server,
		"CREATE DATABASE utf TEMPLATE template0 ENCODING 'UTF8'"
		" LC_COLLATE 'C' LC_CTYPE 'C'");
	live_sql(server,
		"CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'"
		" LC_COLLATE 'C' LC_CTYPE 'C'");
	live_sql(server,
		"CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'"
		" LC_COLLATE 'C' LC_CTYPE 'C'");
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	private_server_stop(server);
	return 0;
}

static int clean_up(void **state)
{
	term_teardown(state);
	live_teardown(state);
	/* a database's catalog is its own: dbtop comes to this one */
	live_sql(server,
		"GRANT SELECT ON pg_catalog.pg_locks TO PUBLIC;"
		"GRANT EXECUTE ON FUNCTION pg_catalog.pg_postmaster_start_time(),"
		" pg_catalog.pg_stat_get_activity(int4) TO PUBLIC;"
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
	live_wait_sessions(server, NULL, 0, 20000);
	return 0;
}

static char *watcher(const char *database)
{
	CLEANUP(cleanup_free) char *more = mem_printf("user=watcher dbname=%s", database);
	return live_conninfo(server, LIVE_TCP4, more);
}

/* Bytes that are no UTF-8, in a statement and in a name, and a character that is cut. */
static void one_strange_row_costs_nothing(void **state)
{
	(void)state;
	static const char *const databases[] = { "utf", "latin", "ascii" };
	CLEANUP(cleanup_free) char *wide = mem_alloc(6001);
	for (size_t i = 0; i < 6000; i += 3)
		strcpy(wide + i, "\xe2\x82\xac");
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(cleanup_free) char *more = mem_printf("user=app dbname=%s", databases[i]);
		CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, more);
		/* the server takes each byte as it is where the client names the same encoding */
		static const char *const encodings[] = { "UTF8", "LATIN1", "SQL_ASCII" };
		CLEANUP(cleanup_free)
		char *set = mem_printf("SET client_encoding = '%s'", encodings[i]);
		CLEANUP(cleanup_free)
		char *sql = i == 0 ? mem_printf("SELECT 'x%s'", wide)
				   : mem_strdup("SELECT 'caf\xe9 \xff'");
		live_client(app, "sql", set, sql, NULL);
	}
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(cleanup_free) char *ours = watcher(databases[i]);
		int status;
		json_t *root = live_dbtop_json(&status, ours, NULL);
		assert_int_equal(status, 0);
		assert_int_equal(json_integer_value(live_member(root, "slots.used")), 4);
		for (size_t row = 0; row < 3; row++) {
			json_t *found =
				live_find_text(root, "connections", "database", databases[row]);
			const char *query = live_text(found, "query");
			assert_non_null(query);
			if (row)
				assert_non_null(strstr(query, "SELECT 'caf"));
		}
		assert_string_equal(
			live_text(json_array_get(json_object_get(root, "sources"), 0), "status"),
			"ok");
		json_decref(root);
		live_wait_dbtops_gone(server);
	}
}

static const char *activity_error(json_t *root)
{
	return live_text(json_array_get(json_object_get(root, "sources"), 0), "error");
}

static void without_pg_locks_the_rows_are_there(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *ours = watcher("postgres");
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	live_client(app, "idle", NULL);
	live_sql(server, "REVOKE SELECT ON pg_catalog.pg_locks FROM PUBLIC");
	int status;
	json_t *root = live_dbtop_json(&status, ours, NULL);
	assert_int_equal(status, 0);
	assert_int_equal(json_integer_value(live_member(root, "slots.used")), 2);
	assert_int_equal(json_integer_value(live_member(root, "slots.max")), 40);
	assert_non_null(strstr(activity_error(root), "advisory locks are not seen: permission"));
	json_decref(root);
	live_wait_dbtops_gone(server);
	struct live_run run = live_dbtop("--once", ours, NULL);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.out, "advisory locks are not seen"));
	live_run_clear(&run);
	/* a session beyond the limit may hold such a lock, which would protect it */
	static const char *const modes[] = { "--once", "--json", "--kill-leaked" };
	for (size_t i = 0; i < 3; i++) {
		live_wait_dbtops_gone(server);
		run = live_dbtop(
			modes[i], ours, "--idle-limit", "1ms", i == 2 ? "--yes" : NULL, NULL);
		bool is_said = i == 1 || strstr(run.out, "may be protected: advisory locks") ||
			strstr(run.err, "may be protected: advisory locks");
		if (run.status != 3 || !is_said)
			fail_msg("%s: %d %s%s", modes[i], run.status, run.out, run.err);
		live_run_clear(&run);
	}
	live_wait_sessions(server, "usename = 'app'", 1, 10000);
}

static void without_a_function_the_rows_are_there(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *ours = watcher("postgres");
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	live_client(app, "idle", NULL);
	live_sql(server,
		"REVOKE EXECUTE ON FUNCTION pg_catalog.pg_postmaster_start_time() FROM PUBLIC");
	int status;
	json_t *root = live_dbtop_json(&status, ours, NULL);
	assert_int_equal(json_integer_value(live_member(root, "slots.used")), 2);
	assert_true(json_is_null(live_member(root, "slots.max")));
	assert_true(json_is_null(live_member(root, "slots.free")));
	assert_non_null(strstr(activity_error(root), "pg_postmaster_start_time"));
	json_t *found = live_find_text(root, "connections", "user", "app");
	assert_string_equal(live_text(found, "status"), "idle");
	assert_true(json_number_value(live_member(found, "seconds")) >= 0);
	json_decref(root);
}

static void without_the_view_the_reason_is_reported(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *ours = watcher("postgres");
	live_sql(server,
		"REVOKE EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(int4) FROM PUBLIC");
	static const char *const modes[][2] = { { "--once", NULL },
		{ "--kill-leaked", "--dry-run" }, { "--kill-leaked", "--yes" } };
	for (size_t i = 0; i < 3; i++) {
		struct live_run run = live_dbtop(modes[i][0], ours, modes[i][1], NULL);
		assert_int_equal(run.status, 3);
		if (!strstr(run.out, "permission denied") && !strstr(run.err, "permission denied"))
			fail_msg("%s %s: no reason: %s%s", modes[i][0],
				modes[i][1] ? modes[i][1] : "", run.out, run.err);
		live_run_clear(&run);
	}
	struct term *term = term_start(&(struct term_options){ .width = 130, .height = 40 },
		(const char *const[]){ live_dbtop_path(), ours, NULL });
	assert_true(term_wait_text(term, "does not show its sessions to us"));
	assert_true(term_wait_text(term, "permission denied"));
}

/* It is not hidden: no right would show more of it. */
static void without_track_activities_that_is_the_reason(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *ours = watcher("postgres");
	live_client(app, "sql", "SET track_activities = off", NULL);
	struct term *term = term_start(&(struct term_options){ .width = 130, .height = 50 },
		(const char *const[]){ live_dbtop_path(), "-a", "^live_client$", ours, NULL });
	assert_true(term_wait_text(term, "track_activities is off"));
}

static bool has_two_workers(void *data)
{
	return live_number(data,
		       "SELECT count(*) FROM pg_stat_activity"
		       " WHERE backend_type = 'parallel worker'") == 2;
}

/* Of a role whose rows are hidden nobody can tell a parallel worker, which holds no slot, from a
 * session: the number is a bound, never a number that is too high. */
static void workers_of_a_hidden_session_are_no_slots(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *busy = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *plain = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *ours = watcher("postgres");
	live_sql(server,
		"CREATE TABLE IF NOT EXISTS wide AS SELECT n FROM generate_series(1, 10000) n");
	live_client(busy, "send",
		"SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
		" SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2",
		"SELECT count(*) FROM wide WHERE pg_sleep(n * 0 + 3600) IS NOT NULL", NULL);
	PGconn *conn = live_connect(busy);
	assert_true(live_wait(has_two_workers, conn, 20000));
	live_disconnect(conn);
	json_t *root = live_dbtop_json(NULL, ours, NULL);
	assert_int_equal(json_integer_value(live_member(root, "slots.used")), 2);
	json_decref(root);
	live_wait_dbtops_gone(server);
	int status;
	root = live_dbtop_json(&status, plain, NULL);
	assert_int_equal(status, 3);
	assert_true(json_is_null(live_member(root, "slots.used")));
	assert_true(json_is_null(live_member(root, "slots.free")));
	assert_int_equal(json_integer_value(live_member(root, "slots.used_at_most")), 4);
	assert_int_equal(json_integer_value(live_member(root, "slots.free_at_least")), 40 - 3 - 4);
	json_decref(root);
}

static PGconn *say(const char *database, const char *sql)
{
	CLEANUP(cleanup_free) char *more = mem_printf("dbname=%s user=app", database);
	CLEANUP(cleanup_free) char *way = live_conninfo(server, LIVE_TCP4, more);
	PGconn *conn = live_connect(way);
	assert_int_equal(PQsetClientEncoding(conn, "SQL_ASCII"), 0);
	live_exec(conn, sql);
	return conn;
}

/* A query that is no text in the database's encoding costs nothing but its own characters; one that
 * is in a known encoding is converted, whatever database dbtop is connected to. */
static void bytes_of_another_encoding_fail_no_poll(void **state)
{
	(void)state;
	PGconn *ascii = say("ascii", "SELECT 'caf\xe9 and \xff\xfe' AS odd");
	PGconn *latin = say("latin", "SELECT 'th\xe9 and \xdf' AS latin");
	PGconn *utf8 = say("postgres", "SELECT 'na\xc3\xafve' AS utf8");
	const char *const names[] = { "ascii", "postgres", "latin" };
	static const char *const texts[] = { "caf\xef\xbf\xbd and", "th\xc3\xa9 and \xc3\x9f'",
		"na\xc3\xafve'" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CLEANUP(cleanup_free) char *more = mem_printf("dbname=%s", names[i]);
		CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_UNIX, more);
		struct live_run run = live_dbtop("--json", ours, NULL);
		for (size_t text = 0; text < sizeof(texts) / sizeof(texts[0]); text++)
			if (run.status != 0 || !strstr(run.out, texts[text]))
				fail_msg("%s, %s: %d %s%s", names[i], texts[text], run.status,
					run.out, run.err);
		live_run_clear(&run);
		live_wait_dbtops_gone(server);
	}
	PQfinish(ascii);
	PQfinish(latin);
	PQfinish(utf8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_strange_row_costs_nothing, clean_up),
		cmocka_unit_test_teardown(bytes_of_another_encoding_fail_no_poll, clean_up),
		cmocka_unit_test_teardown(without_pg_locks_the_rows_are_there, clean_up),
		cmocka_unit_test_teardown(without_a_function_the_rows_are_there, clean_up),
		cmocka_unit_test_teardown(without_the_view_the_reason_is_reported, clean_up),
		cmocka_unit_test_teardown(without_track_activities_that_is_the_reason, clean_up),
		cmocka_unit_test_teardown(workers_of_a_hidden_session_are_no_slots, clean_up),
	};
	return cmocka_run_group_tests_name("rows", tests, start_server, stop_server);
}
