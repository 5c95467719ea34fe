/* The modes without a screen: --once, --json, --count, --follow, and the messages for wrong usage.
 */
#include "live_group.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static const char *super;

static void start_idle_app(void)
{
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	live_client(app, "idle", NULL);
	live_wait_sessions(
		server, "state_change > clock_timestamp() - interval '200 ms'", 0, 10000);
}

static void once_prints_text_for_people(void **state)
{
	(void)state;
	struct live_run run = live_dbtop("--once", super, NULL);
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	assert_null(strchr(run.out, '\033'));
	live_run_clear(&run);
	/* a folder that was named and cannot be read */
	run = live_dbtop("--once", "--pages", "/nowhere/pages", super, NULL);
	assert_non_null(strstr(
		run.out, "pages    /nowhere/pages: No such file or directory: check --pages\n"));
	live_run_clear(&run);
	start_idle_app();
	run = live_dbtop("--once", "--idle-limit", "0.1", super, NULL);
	assert_int_equal(run.status, 1);
	assert_non_null(strstr(run.out, "live_"));
	assert_non_null(strstr(run.out, "idle"));
	live_run_clear(&run);
}

/* dbtop's own session has such a timeout: the advice is about the one it found. */
static void settings_that_invite_leaks_are_named(void **state)
{
	(void)state;
	static const char says[] = "idle_in_transaction_session_timeout is 0: ",
			  alter[] = "ALTER SYSTEM SET idle_in_transaction_session_timeout = ";
	CLEANUP(cleanup_free)
	char *limited = live_conninfo(server, LIVE_TCP4,
		"user=postgres options='-c idle_in_transaction_session_timeout=1min'");
	struct live_run run = live_dbtop("--once", super, NULL);
	assert_non_null(strstr(run.out, says));
	assert_non_null(strstr(run.out, alter));
	live_run_clear(&run);
	live_wait_dbtops_gone(server);
	run = live_dbtop("--once", limited, NULL);
	assert_int_equal(run.status, 0);
	assert_null(strstr(run.out, says));
	live_run_clear(&run);
}

static size_t lines(const char *text)
{
	size_t count = 0;
	for (; (text = strchr(text, '\n')); text++)
		count++;
	return count;
}

static void count_is_so_many_lines(void **state)
{
	(void)state;
	struct live_run run = live_dbtop("--json", "--count", "3", "-i", "0.1", super, NULL);
	assert_int_equal(run.status, 0);
	assert_int_equal(lines(run.out), 3);
	char before[40] = "";
	for (const char *line = run.out; *line; line = strchr(line, '\n') + 1) {
		json_t *root = json_loadb(line, strcspn(line, "\n"), 0, NULL);
		assert_non_null(root);
		assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
		/* a slow server's rows may be told twice */
		assert_true(strcmp(live_text(root, "taken_at"), before) >= 0);
		snprintf(before, sizeof(before), "%s", live_text(root, "taken_at"));
		json_decref(root);
	}
	live_run_clear(&run);
}

struct lines_awaited {
	struct live_program *program;
	size_t count;
};

static bool has_lines(void *data)
{
	struct lines_awaited *awaited = data;
	return lines(live_out(awaited->program)) >= awaited->count;
}

/* The status is that of the last line; a signal ends it as asked for. */
static void follow_goes_on_until_it_is_stopped(void **state)
{
	(void)state;
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	start_idle_app();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct live_program *dbtop = live_dbtop_start(NULL, "--json", "--follow", "-i",
			"0.1", "--idle-limit", "0.1", super, NULL);
		struct lines_awaited awaited = { dbtop, 3 };
		assert_true(live_wait(has_lines, &awaited, 20000));
		live_signal(dbtop, signals[i]);
		assert_int_equal(live_finish(dbtop, 10000), 1);
		const char *out = live_out(dbtop);
		assert_int_equal(out[strlen(out) - 1], '\n');
		live_free(dbtop);
	}
}

static void reader_that_left_ends_it_quietly(void **state)
{
	(void)state;
	int pipes[2];
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	const struct live_program_options options = { .out = pipes[1] };
	struct live_program *dbtop =
		live_dbtop_start(&options, "--json", "--follow", "-i", "0.1", super, NULL);
	close(pipes[1]);
	char byte;
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	(void)live_finish(dbtop, 10000);
	assert_string_equal(live_err(dbtop), "");
}

static void no_query_text_is_in_no_output(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	/* not by a client, whose command line has the statement, too */
	PGconn *conn = live_connect(app);
	live_exec(conn, "SELECT 'sesame' AS word");
	const char *const modes[] = { "--json", "--once" };
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct live_run run = live_dbtop(modes[i], "--idle-limit=1ms", super, NULL);
		assert_int_equal(run.status, 1);
		assert_non_null(strstr(run.out, "sesame"));
		live_run_clear(&run);
		run = live_dbtop(modes[i], "--no-query-text", "--idle-limit=1ms", super, NULL);
		assert_null(strstr(run.out, "sesame"));
		live_run_clear(&run);
	}
	PQfinish(conn);
}

static void wrong_usage_is_reported(void **state)
{
	(void)state;
	static const char *const commands[][4] = {
		{ "--jsno" },
		{ "--once", "--kill-leaked" },
		{ "--json", "--count", "0" },
		{ "--json", "--count", "many" },
		{ "--json", "--follow", "--count=2" },
		{ "--once", "--follow" },
		{ "--once", "-i", "0.01" },
		{ "--once", "-i", "soon" },
		{ "--once", "--idle-limit", "long" },
		{ "--once", "-a", "(" },
		{ "--emergency", "--dry-run", "one", "two" },
		{ "--once", "--all", "one" },
		{ "-w", "-W" },
		{ "--once", "-c", "/nowhere/config.yaml" },
		{ "--once", "host=here nosuch=1" },
		{ "--once", "--theme", "nosuch" },
		{ "--json", "--theme", "../mono" },
		{ "--kill-leaked", "--dry-run", "-t", "nosuch" },
	};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *const *c = commands[i];
		struct live_run run = live_dbtop(c[0], c[1], c[2], c[3], NULL);
		if (run.status != 2 || *run.out || strncmp(run.err, "dbtop: ", 7) != 0)
			fail_msg("%s %s: %d \"%s\" \"%s\"", c[0], c[1] ? c[1] : "", run.status,
				run.out, run.err);
		live_run_clear(&run);
	}
}

/* File, line, key, what was expected, and the nearest known key. */
static void mistakes_in_the_config_file_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *place, *words[3];
	} cases[] = {
		{ "interval: 1\nintervall: 2\n", ":2", { "intervall", "interval" } },
		{ "leaks:\n  idel: 5min\n", ":2", { "idel", "idle" } },
		{ "leaks:\n  idle: soon\n", ":2", { "leaks.idle", "soon" } },
		{ "interval: 0\n", ":1", { "interval", "0.1" } },
		{ "readonly: perhaps\n", ":1", { "readonly", "perhaps" } },
		{ "protect:\n  users: {a: b}\n", ":2", { "protect.users" } },
		{ "interval: [1\n", ":", { "config.yaml" } },
		{ "columns:\n  - pid\n  - pid\n", ":3", { "columns", "pid", "given twice" } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free)
		char *path = live_file(live_folder(), "config.yaml", cases[i].text);
		CLEANUP(cleanup_free) char *place = mem_printf("%s%s", path, cases[i].place);
		struct live_run run = live_dbtop("--once", "-c", path, super, NULL);
		bool told = strstr(run.err, place) != NULL;
		for (size_t j = 0; j < 3 && cases[i].words[j]; j++)
			told &= strstr(run.err, cases[i].words[j]) != NULL;
		if (run.status != 2 || *run.out || !told)
			fail_msg("%s: %d \"%s\" \"%s\"", cases[i].text, run.status, run.out,
				run.err);
		live_run_clear(&run);
	}
}

static void config_file_is_found_and_names_databases(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *text = mem_printf("databases:\n  shop: %s\n", super);
	CLEANUP(cleanup_free) char *path = live_file(live_folder(), "named.yaml", text);
	struct live_run run = live_dbtop("--json", "-c", path, "shop", NULL);
	assert_int_equal(run.status, 0);
	json_t *root = json_loads(run.out, 0, NULL);
	assert_string_equal(live_text(root, "server.database"), "postgres");
	json_decref(root);
	live_run_clear(&run);
}

static void name_routes(void)
{
	super = live_group_conninfo(LIVE_UNIX, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(once_prints_text_for_people),
		LIVE_TEST(settings_that_invite_leaks_are_named),
		LIVE_TEST(count_is_so_many_lines),
		LIVE_TEST(follow_goes_on_until_it_is_stopped),
		LIVE_TEST(reader_that_left_ends_it_quietly),
		LIVE_TEST(no_query_text_is_in_no_output),
		LIVE_TEST(wrong_usage_is_reported),
		LIVE_TEST(mistakes_in_the_config_file_are_named),
		LIVE_TEST(config_file_is_found_and_names_databases),
	};
	return LIVE_GROUP("headless", tests, .sql = "CREATE ROLE app LOGIN", .set_up = name_routes);
}
