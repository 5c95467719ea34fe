/* What dbtop prints as a next step is taken from its output and run as it stands: commands by sh,
 * statements by psql. Then it has helped. */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* Runs a line of sh, for which dbtop is in PATH. */
static struct live_run run_line(const char *line)
{
	CLEANUP(cleanup_free)
	char *path = mem_printf("PATH=%s/bin:%s", live_folder(), getenv("PATH"));
	return live_run(&(const struct live_program_options){ .argv = (const char *const[]){ "sh",
								      "-c", line, NULL },
				.env = (const char *const[]){ path, NULL } },
		60000);
}

/* psql reads it as it would be typed, and not as an argument: -c would make a transaction of it. */
static void run_sql(const char *sql)
{
	CLEANUP(cleanup_free) char *input = mem_printf("%s\n", sql);
	struct live_run run = live_run(
		&(const struct live_program_options){
			.argv = (const char *const[]){ "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
				live_group_conninfo(LIVE_TCP4, NULL), NULL },
			.input = input },
		60000);
	if (run.status != 0)
		fail_msg("%s: %s%s", sql, run.out, run.err);
	live_run_clear(&run);
}

/* The rest of the line behind these words, which the caller frees; NULL if there is none. */
static char *find_rest(const char *text, const char *words)
{
	const char *found = strstr(text, words);
	if (!found)
		return NULL;
	found += strlen(words);
	return mem_printf("%.*s", (int)strcspn(found, "\n"), found);
}

static char *rest_of(const struct live_run *run, const char *words)
{
	char *rest = find_rest(run->out, words);
	if (!rest)
		rest = find_rest(run->err, words);
	if (!rest)
		fail_msg("\"%s\" is missing: %s%s", words, run->out, run->err);
	return rest;
}

static char *way(const char *more)
{
	return live_conninfo(server, LIVE_TCP4, more);
}

static struct live_run once(const char *more)
{
	CLEANUP(cleanup_free) char *conninfo = way(more);
	return live_dbtop("--once", conninfo, NULL);
}

/* With the connection, the limits and the names that are in force, but without the password. */
static void the_command_for_leaks_can_be_typed(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *named = way("user='my app' application_name='it\\'s'");
	CLEANUP(cleanup_free) char *other = way("user='my app' application_name=other");
	CLEANUP(cleanup_free)
	char *more = mem_printf("user='my app' password=%s", live_password());
	CLEANUP(cleanup_free) char *conninfo = way(more);
	live_client(named, "idle", NULL);
	live_client(other, "idle", NULL);
	live_wait_sessions(server,
		"usename = 'my app' AND state = 'idle' AND state_change < clock_timestamp() - "
		"interval '10 ms'",
		2, 20000);
	struct live_run run =
		live_dbtop("--once", "--idle-limit", "1ms", "-a", "^it's$", conninfo, NULL);
	CLEANUP(cleanup_free) char *command = rest_of(&run, "what would be ended: ");
	assert_int_equal(run.status, 1);
	live_run_clear(&run);
	assert_null(strstr(command, live_password()));
	run = run_line(command);
	if (run.status != 1 || !strstr(run.out, "would end 1 leaked connection"))
		fail_msg("%s: status %d: %s%s", command, run.status, run.out, run.err);
	live_run_clear(&run);
}

/* Each statement removes the hint that has it. */
static void statements_can_be_typed(void **state)
{
	static const struct {
		const char *more, *before;
		int oldest; /* the server's version that knows it */
	} cases[] = {
		{ "user='Odd \"one'", "not visible to this role; to see them: ", 0 },
		{ "user=select dbname='Shop 1'", "the role may not connect: ", 0 },
		{ NULL, "a forgotten transaction stays open: ", 0 },
		{ NULL, "a statement whose client is gone runs on: ", 140000 },
		{ NULL, "a forgotten session keeps its slot: ", 140000 },
	};
	CLEANUP(cleanup_free) char *super = way(NULL);
	PGconn *conn = live_connect(super);
	int version = PQserverVersion(conn);
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct live_run run = once(cases[i].more);
		if (version < cases[i].oldest) {
			assert_null(strstr(run.out, cases[i].before));
			live_run_clear(&run);
			continue;
		}
		CLEANUP(cleanup_free) char *statement = rest_of(&run, cases[i].before);
		live_run_clear(&run);
		run_sql(statement);
		run = once(cases[i].more);
		/* the server reads its settings again when it comes to it */
		for (int round = 0; strstr(run.out, cases[i].before) && round < 100; round++) {
			live_run_clear(&run);
			run = once(cases[i].more);
		}
		if (strstr(run.out, cases[i].before))
			fail_msg("%s: %s%s", statement, run.out, run.err);
		live_run_clear(&run);
	}
	live_disconnect(conn);
}

/* The GRANT of a refusal is the server's own text. */
static void the_grant_of_a_refusal_can_be_typed(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = way("user='my app'");
	CLEANUP(cleanup_free) char *watcher = way("user='it\\'s'");
	live_client(app, "transaction", NULL);
	live_wait_sessions(
		server, "usename = 'my app' AND state = 'idle in transaction'", 1, 20000);
	struct live_run run =
		live_dbtop("--kill-leaked", "--yes", "--transaction-limit", "1ms", watcher, NULL);
	CLEANUP(cleanup_free) char *grant = rest_of(&run, "GRANT pg_signal_backend");
	CLEANUP(cleanup_free) char *statement = mem_printf("GRANT pg_signal_backend%s", grant);
	assert_int_equal(run.status, 1);
	live_run_clear(&run);
	run_sql(statement);
	run = live_dbtop("--kill-leaked", "--yes", "--transaction-limit", "1ms", watcher, NULL);
	if (run.status != 0)
		fail_msg("%s: status %d: %s%s", statement, run.status, run.out, run.err);
	live_run_clear(&run);
}

/* What is added to the same command, and what is replaced in it. */
static void options_that_are_named_help(void **state)
{
	static const struct {
		const char *hint, *refused[5], *again[5];
	} cases[] = {
		{ "connect to another database: -d postgres", { "-U", "wide", "-d", "nowhere" },
			{ "-U", "wide", "-d", "postgres" } },
		{ "connect to another database: -d postgres", { "user=wide dbname=nowhere" },
			{ "user=wide dbname=nowhere", "-d", "postgres" } },
		{ "connect as another one (-U, or user=)", { "-U", "narrow", "-d", "postgres" },
			{ "-U", "wide", "-d", "postgres" } },
		{ "connect as another one (-U, or user=)", { "user=narrow dbname=postgres" },
			{ "user=wide dbname=postgres" } },
		{ "connect to another one (-d)", { "-U", "wide", "-d", "small" },
			{ "-U", "wide", "-d", "postgres" } },
	};
	(void)state;
	CLEANUP(cleanup_free) char *port = mem_printf("PGPORT=%d", private_server_port(server));
	CLEANUP(cleanup_free) char *narrow = way("user=narrow dbname=small");
	live_client(narrow, "idle", NULL);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		bool again = i % 2;
		const char *const *args = again ? cases[i / 2].again : cases[i / 2].refused;
		const struct live_program_options options = {
			.argv = (const char *const[]){ live_dbtop_path(), "--once", args[0],
				args[1], args[2], args[3], NULL },
			.env = (const char *const[]){ "PGHOST=127.0.0.1", port, NULL },
		};
		struct live_run run = live_run(&options, 60000);
		bool is_hinted = strstr(run.out, cases[i / 2].hint);
		bool is_in = strstr(run.out, " used ");
		if (is_hinted == again || is_in != again)
			fail_msg("%s: %s: %s%s", args[0], cases[i / 2].hint, run.out, run.err);
		live_run_clear(&run);
	}
}

/* Quoted as a shell needs it. */
static void the_proxys_command_can_be_typed(void **state)
{
	(void)state;
	int port = live_free_port();
	CLEANUP(cleanup_free) char *made = mem_printf("%s/it's; here", live_folder());
	CLEANUP(cleanup_free)
	char *yaml = mem_printf("proxy:\n  process: haproxy\n  port: %d\n  health: \"\"\n"
				"  start: [touch, \"%s\"]\n",
		port, made);
	CLEANUP(cleanup_free) char *config = live_file(live_folder(), "hints.yaml", yaml);
	CLEANUP(cleanup_free)
	char *conninfo = mem_printf("host=127.0.0.1 port=%d user=postgres", port);
	struct live_run run = live_dbtop("--once", "--config", config, conninfo, NULL);
	CLEANUP(cleanup_free) char *command = rest_of(&run, "start the proxy: ");
	live_run_clear(&run);
	run = run_line(command);
	if (run.status != 0 || access(made, F_OK) != 0)
		fail_msg("%s: %s%s", command, run.out, run.err);
	live_run_clear(&run);
}

static void set_up(void)
{
	CLEANUP(cleanup_free)
	char *script = mem_printf("mkdir %s/bin && ln -s '%s' %s/bin/dbtop", live_folder(),
		live_dbtop_path(), live_folder());
	live_shell(script);
	live_sql(server, "CREATE DATABASE \"Shop 1\"");
	live_sql(server, "REVOKE CONNECT ON DATABASE \"Shop 1\" FROM PUBLIC");
	live_sql(server, "CREATE DATABASE small CONNECTION LIMIT 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(the_command_for_leaks_can_be_typed),
		LIVE_TEST(the_grant_of_a_refusal_can_be_typed),
		LIVE_TEST(options_that_are_named_help),
		LIVE_TEST(the_proxys_command_can_be_typed),
		LIVE_TEST(statements_can_be_typed),
	};
	return LIVE_GROUP("hints", tests,
		.sql = "CREATE ROLE \"my app\" LOGIN; CREATE ROLE \"Odd \"\"one\" LOGIN;"
		       " CREATE ROLE \"select\" LOGIN; CREATE ROLE \"it's\" LOGIN IN ROLE "
		       "pg_monitor;"
		       " CREATE ROLE wide LOGIN; CREATE ROLE narrow LOGIN CONNECTION LIMIT 1",
		.set_up = set_up);
}
