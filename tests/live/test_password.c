/* password_command: it is run when the server asks, once an attempt, and overrides PGPASSWORD and
 * the passfile; nothing of it is ever shown. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define WAIT_MS 60000

/* The command reads its password from this file, and notes each run in the other. */
static char *secret_path, *runs_path, *command_path, *config_path;

static void set_secret(const char *text)
{
	free(live_file(live_folder(), "secret", text));
}

static size_t count_runs(void)
{
	CLEANUP(cleanup_free) char *text = live_read(runs_path);
	size_t count = 0;
	for (const char *at = text; at && (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

static struct live_run run_with(const char *variable)
{
	const char *const env[] = { variable, NULL };
	const char *const argv[] = { live_dbtop_path(), "--json", "-c", config_path, "it", NULL };
	const struct live_program_options options = { .argv = argv, .env = variable ? env : NULL };
	return live_run(&options, WAIT_MS);
}

static void assert_status(const char *variable, const char *expected, const char *error)
{
	struct live_run run = run_with(variable);
	json_t *root = live_parse_json(run.out);
	const char *text = live_text(root, "server.error");
	assert_string_equal(live_text(root, "server.status"), expected);
	if (error && (!text || !strstr(text, error)))
		fail_msg("no \"%s\" in: %s", error, text ? text : "null");
	assert_null(strstr(run.out, "s3cret"));
	assert_null(strstr(run.err, "s3cret"));
	json_decref(root);
	live_run_clear(&run);
}

static void the_commands_password_lets_in(void **state)
{
	(void)state;
	set_secret("s3cret\n");
	assert_status("PGPASSFILE", "ok", NULL);
	assert_int_equal(count_runs(), 1);
}

/* Both would let in. */
static void it_stands_over_environment_and_passfile(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *variable = mem_printf("PGPASSWORD=%s", "s3cret");
	set_secret("wrong\n");
	assert_status(variable, "denied", NULL);
	set_secret("s3cret\n");
	assert_status("PGPASSWORD=wrong", "ok", NULL);
}

static void a_failed_command_is_a_failed_attempt(void **state)
{
	(void)state;
	set_secret("");
	assert_status(NULL, "refused", "the password command printed no password");
	unlink(secret_path);
	assert_status(NULL, "refused", "the password command failed");
}

/* Tokens expire: each attempt asks again. */
static void each_attempt_runs_it_again(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *log = mem_printf("%s/token.log", live_folder());
	set_secret("s3cret\n");
	struct live_program *guard = live_dbtop_start(
		NULL, "--guard", "--yes", "-i", "0.2", "--log", log, "-c", config_path, "it", NULL);
	live_wait_err(guard, "connected to", WAIT_MS);
	size_t before = count_runs();
	live_sql(server, "ALTER ROLE token PASSWORD 's3cret-2'");
	set_secret("s3cret-2\n");
	live_sql(server,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE usename = 'token'");
	live_wait_err(guard, "not connected", WAIT_MS);
	live_wait_sessions(server, "usename = 'token'", 1, WAIT_MS);
	assert_true(count_runs() > before);
	live_signal(guard, SIGTERM);
	assert_int_equal(live_finish(guard, WAIT_MS), 0);
	assert_null(strstr(live_err(guard), "s3cret"));
	CLEANUP(cleanup_free) char *text = live_read(log);
	assert_null(strstr(text, "s3cret"));
	live_sql(server, "ALTER ROLE token PASSWORD 's3cret'");
}

/* dbtop goes on while the command hangs, and ends at once. */
static void a_hanging_command_stops_nobody(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *it = live_conninfo(server, LIVE_TCP4, "user=token");
	CLEANUP(cleanup_free)
	char *text = mem_printf("databases:\n  it:\n    conninfo: \"%s\"\n    password_command: "
				"[sleep, \"3600\"]\n",
		it);
	CLEANUP(cleanup_free) char *config = live_file(live_folder(), "hang.yaml", text);
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--metrics", "0", "-c", config, "it", NULL);
	live_wait_err(dbtop, "the password command did not end in time", WAIT_MS);
	live_signal(dbtop, SIGTERM);
	assert_int_equal(live_finish(dbtop, WAIT_MS), 0);
}

static void a_file_that_others_may_write_to_is_refused(void **state)
{
	(void)state;
	static const char *const commands[] = {
		"databases: {it: {conninfo: host=x, password_command: [true]}}\n",
		"proxy: {start: [true]}\n",
	};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		CLEANUP(cleanup_free)
		char *path = live_file(live_folder(), "open.yaml", commands[i]);
		assert_int_equal(chmod(path, 0664), 0);
		struct live_run run = live_dbtop("--json", "-c", path, "host=/nowhere", NULL);
		assert_int_equal(run.status, 2);
		assert_non_null(strstr(run.err, "names a command, and others may write"));
		live_run_clear(&run);
		assert_int_equal(chmod(path, 0644), 0);
		run = live_dbtop("--json", "-c", path, "host=/nowhere", NULL);
		assert_int_equal(run.status, 3);
		live_run_clear(&run);
	}
	/* without a command it may be anybody's */
	CLEANUP(cleanup_free) char *path = live_file(live_folder(), "plain.yaml", "interval: 2\n");
	assert_int_equal(chmod(path, 0666), 0);
	struct live_run run = live_dbtop("--json", "-c", path, "host=/nowhere", NULL);
	assert_int_equal(run.status, 3);
	live_run_clear(&run);
}

/* Only root can give a file away. */
static void another_users_file_is_refused(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *path = live_file(live_folder(), "theirs.yaml", "proxy: {start: [true]}\n");
	assert_int_equal(chown(path, 65534, (gid_t)-1), 0);
	struct live_run run = live_dbtop("--json", "-c", path, "host=/nowhere", NULL);
	assert_int_equal(run.status, 2);
	assert_non_null(strstr(run.err, "neither yours nor root's"));
	live_run_clear(&run);
}

static void set_up(void)
{
	CLEANUP(cleanup_free) char *it = live_conninfo(server, LIVE_TCP4, "user=token");
	secret_path = mem_printf("%s/secret", live_folder());
	runs_path = mem_printf("%s/runs", live_folder());
	CLEANUP(cleanup_free)
	char *script =
		mem_printf("#!/bin/sh\necho run >>%s\nexec cat %s\n", runs_path, secret_path);
	command_path = live_file(live_folder(), "command", script);
	assert_int_equal(chmod(command_path, 0755), 0);
	CLEANUP(cleanup_free)
	char *text =
		mem_printf("databases:\n  it:\n    conninfo: \"%s\"\n    password_command: [%s]\n",
			it, command_path);
	config_path = live_file(live_folder(), "it.yaml", text);
}

static void clean_up(void)
{
	unlink(runs_path);
}

static void take_down(void)
{
	free(secret_path);
	free(runs_path);
	free(command_path);
	free(config_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(the_commands_password_lets_in),
		LIVE_TEST(it_stands_over_environment_and_passfile),
		LIVE_TEST(a_failed_command_is_a_failed_attempt),
		LIVE_TEST(each_attempt_runs_it_again),
		LIVE_TEST(a_hanging_command_stops_nobody),
		LIVE_TEST(a_file_that_others_may_write_to_is_refused),
		LIVE_TEST(another_users_file_is_refused),
	};
	return LIVE_GROUP("password", tests, .sql = "CREATE ROLE token LOGIN PASSWORD 's3cret'",
		.set_up = set_up, .clean_up = clean_up, .take_down = take_down, .root_tests = 1);
}
