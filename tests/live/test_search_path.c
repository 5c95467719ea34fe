/* No statement of dbtop's calls what another schema has under PostgreSQL's own names: live_traps.h.
 *
 * Connected to the server itself dbtop empties its search_path, and only the statement that does so
 * runs under the role's path; through a pooler all of them do. So those that were sent to the
 * server itself are prepared once more under the path with the traps. The applications are in
 * another database, whose statements do not count. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_traps.h"
#include "term.h"

#define STATEMENT "@" LIVE_TRAPS_DATABASE " STATEMENT:  "

static size_t log_begin; /* what precedes it in the log was sent by the test of the traps */

static void assert_no_trap_sprung(int at_least)
{
	CLEANUP(cleanup_free) char *sprung = live_traps_sprung(server);
	if (sprung)
		fail_msg("sprung by:\n%s", sprung);
	int statements = live_traps_statements(server);
	if (statements < at_least)
		fail_msg("only %d statements", statements);
}

static struct live_program *start_app(const char *role, const char *argument)
{
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app application_name=app");
	struct live_program *app = live_client(conninfo, role, argument, NULL);
	/* at rest for longer than the limit that the walks are given */
	live_wait_sessions(server,
		"usename = 'app' AND state <> 'active'"
		" AND state_change > clock_timestamp() - interval '200 ms'",
		0, 10000);
	return app;
}

static void run_to(int status, const char *mode, const char *option, const char *conninfo)
{
	struct live_run run =
		live_dbtop(mode, option, "--json", "--idle-limit", "0.1", conninfo, NULL);
	if (run.status != status)
		fail_msg("%s %s: status %d: %s%s", mode, option, run.status, run.out, run.err);
	live_run_clear(&run);
}

/* The locks page; the details of a session that another one waits for, and what ending it costs. */
static void walk_screens(const char *conninfo, bool acts)
{
	int status;
	struct live_program *holder = start_app("sql", "BEGIN; LOCK TABLE held /* holds */");
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_program *waiter = live_client(app, "send", "TABLE held", NULL);
	live_wait_sessions(server, "wait_event_type = 'Lock'", 1, 10000);
	struct term *term = term_start(&(struct term_options){ .width = 130, .height = 40 },
		(const char *const[]){ live_dbtop_path(), "-i", "0.2", conninfo, NULL });
	assert_true(term_wait_text(term, "TABLE held"));
	term_press(term, "l");
	assert_true(term_wait_text(term, "blocks 1"));
	term_press(term, "Esc");
	term_press(term, "/");
	term_send(term, "holds");
	term_press(term, "Enter");
	assert_true(term_wait_text(term, "1 of"));
	/* below its process */
	term_press(term, "Down Enter");
	assert_true(term_wait_text(term, "AccessExclusiveLock on"));
	if (acts) {
		term_press(term, "K");
		assert_true(term_wait_text(term, "1 waits for it"));
		term_press(term, "Esc");
	}
	term_press(term, "Esc");
	term_press(term, "Ctrl-C");
	assert_true(term_wait_exit(term, &status));
	term_end(term);
	live_free(waiter);
	live_free(holder);
}

static void cancel_one(const char *conninfo)
{
	int status;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_program *busy = live_client(app, "active", "1", NULL);
	struct term *term = term_start(&(struct term_options){ .width = 130, .height = 40 },
		(const char *const[]){ live_dbtop_path(), "-i", "0.2", conninfo, NULL });
	assert_true(term_wait_text(term, "pg_sleep(3600)"));
	term_press(term, "/");
	term_send(term, "pg_sleep");
	term_press(term, "Enter");
	assert_true(term_wait_text(term, "1 of"));
	term_press(term, "c");
	assert_true(term_wait_text(term, "Cancel"));
	term_confirm(term);
	assert_true(term_wait_text(term, "1 of 1 cancelled"));
	term_press(term, "Ctrl-C");
	assert_true(term_wait_exit(term, &status));
	term_end(term);
	live_free(busy);
}

static void test_shutdown(const char *conninfo)
{
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_run run = live_dbtop("--shutdown-test", "--json", "--ready", "2", "--timeout",
		"60", conninfo, "--", DYING_PATH, app, "lost-write", NULL);
	/* its verdict comes from the statements' answers */
	if (run.status != 0 || !strstr(run.out, "\"rolled_back_write\":true"))
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	live_run_clear(&run);
}

static void walk(const char *conninfo)
{
	live_free(start_app("idle", "1"));
	(void)start_app("idle", "2");
	run_to(1, "--count", "2", conninfo);
	run_to(1, "--kill-leaked", "--dry-run", conninfo);
	run_to(0, "--kill-leaked", "--yes", conninfo);
	(void)start_app("idle", "1");
	run_to(0, "--emergency", "--yes", conninfo);
	walk_screens(conninfo, true);
	cancel_one(conninfo);
	test_shutdown(conninfo);
}

/* What was sent so far, each once. */
static char **list_statements(size_t *ret_count)
{
	CLEANUP(cleanup_free) char *log = live_group_log();
	char **statements = NULL;
	size_t count = 0;
	for (const char *at = log + log_begin; (at = strstr(at, STATEMENT));) {
		at += strlen(STATEMENT);
		size_t length = strcspn(at, "\n");
		bool known = false;
		for (size_t i = 0; i < count && !known; i++)
			known = strlen(statements[i]) == length &&
				memcmp(statements[i], at, length) == 0;
		/* BEGIN and its like have no names to be resolved */
		if (known || (strncmp(at, "SELECT ", 7) != 0 && strncmp(at, "WITH ", 5) != 0))
			continue;
		statements = mem_resize(statements, count + 1, sizeof(*statements));
		statements[count++] = mem_printf("%.*s", (int)length, at);
	}
	*ret_count = count;
	return statements;
}

static void prepare_all(const char *conninfo)
{
	/* one of each kind that acts or judges: the walk has come by there */
	static const char *const expected[] = { "set_config", "pg_stat_get_activity",
		"pg_blocking_pids", "pg_terminate_backend", "pg_cancel_backend",
		"json_to_recordset", "record_eq", "txid_status", "txid_snapshot_xmax",
		"sessions_abandoned", "stats_reset", "rolsuper" };
	size_t count;
	char **statements = list_statements(&count);
	PGconn *conn = live_connect(conninfo);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		bool found = false;
		for (size_t j = 0; j < count; j++)
			found |= strstr(statements[j], expected[i]) != NULL;
		if (!found)
			fail_msg("no statement with %s was sent", expected[i]);
	}
	for (size_t i = 0; i < count; i++) {
		PGresult *result = PQprepare(conn, "", statements[i], 0, NULL);
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			fail_msg("%s%s", PQresultErrorMessage(result), statements[i]);
		PQclear(result);
		free(statements[i]);
	}
	free(statements);
	PQfinish(conn);
}

static char *conninfo_of(const char *role)
{
	CLEANUP(cleanup_free)
	char *more = mem_printf("dbname=" LIVE_TRAPS_DATABASE " user=%s", role);
	return live_conninfo(server, LIVE_TCP4, more);
}

static void no_trap_is_sprung_on_the_server_itself(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *first = conninfo_of(LIVE_TRAPS_FIRST);
	CLEANUP(cleanup_free) char *usual = conninfo_of(LIVE_TRAPS_USUAL);
	CLEANUP(cleanup_free) char *reader = conninfo_of("reader");
	live_traps_begin(server);
	walk(first);
	run_to(0, "--count", "2", usual);
	/* what is denied is asked about */
	(void)start_app("idle", "1");
	run_to(1, "--kill-leaked", "--yes", reader);
	assert_no_trap_sprung(40);
	prepare_all(first);
	prepare_all(usual);
	assert_no_trap_sprung(60);
}

/* Here the path stays as it is: only the qualified names protect. */
static void no_trap_is_sprung_through_a_pooler(void **state)
{
	(void)state;
	static const char *const roles[] = { LIVE_TRAPS_FIRST, LIVE_TRAPS_USUAL };
	const char *password = live_password();
	CLEANUP(cleanup_free)
	char *text = mem_printf("\"" LIVE_TRAPS_FIRST "\" \"%s\"\n\"" LIVE_TRAPS_USUAL "\" \"%s\"\n"
				"\"stats\" \"%s\"\n",
		password, password, password);
	CLEANUP(cleanup_free) char *users = live_file(live_folder(), "users", text);
	CLEANUP(cleanup_free) char *users_setting = mem_printf("auth_file = %s", users);
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(
		server, (const char *const[]){ "pool_mode = transaction", users_setting, NULL });
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		CLEANUP(cleanup_free)
		char *more = mem_printf("dbname=" LIVE_TRAPS_DATABASE " user=%s", roles[i]);
		CLEANUP(cleanup_free)
		char *conninfo = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, more);
		live_traps_begin(server);
		(void)start_app("idle", "1");
		run_to(1, "--count", "2", conninfo);
		run_to(3, "--kill-leaked", "--yes", conninfo);
		run_to(3, "--emergency", "--yes", conninfo);
		walk_screens(conninfo, false);
		assert_no_trap_sprung(8);
	}
}

static void set_traps(void)
{
	live_traps_set(server);
	live_sql(server, "CREATE ROLE app LOGIN; CREATE TABLE held (); GRANT ALL ON held TO app");
	live_sql(server, "ALTER ROLE " LIVE_TRAPS_FIRST " SUPERUSER");
	live_sql(server, "ALTER ROLE " LIVE_TRAPS_USUAL " SUPERUSER");
	live_sql(server,
		"CREATE ROLE reader LOGIN; GRANT pg_monitor TO reader;"
		"ALTER ROLE reader SET search_path = traps, public, pg_catalog");
	CLEANUP(cleanup_free) char *log = live_group_log();
	log_begin = strlen(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(no_trap_is_sprung_on_the_server_itself),
		LIVE_TEST(no_trap_is_sprung_through_a_pooler),
	};
	return LIVE_GROUP("search_path", tests, .wide = true, .settings = live_traps_settings,
		.set_up = set_traps);
}
