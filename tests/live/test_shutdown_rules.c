/* --shutdown-test on a real server: when the signal is sent and to whom, what is expected of the
 * command, and when there is no verdict. */
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define MOST_ARGUMENTS 24

static struct private_server *server;
static char *conninfo;

static int start_server(void **state)
{
	(void)state;
	server = live_server_start(NULL);
	conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	free(conninfo);
	private_server_stop(server);
	return 0;
}

/* A test's options and command, and what it must find. */
struct expectation {
	const char *options[8];
	/* argv of the command after the shell, or what the program dying does */
	const char *script, *does;
	const char *verdict, *behaviour; /* behaviour: NULL for none */
	int status;                      /* of dbtop */
	const char *says;                /* in the text; NULL: not compared */
	const char *signal, *target;     /* target: NULL for null */
};

static json_t *run_dbtop(const struct expectation *expected, int *ret_status)
{
	const char *argv[MOST_ARGUMENTS] = { live_dbtop_path(), "--shutdown-test", "--json",
		conninfo };
	size_t at = 4;
	for (const char *const *option = expected->options; *option; option++)
		argv[at++] = *option;
	argv[at++] = "--";
	if (expected->script) {
		argv[at++] = "sh";
		argv[at++] = "-c";
		argv[at++] = expected->script;
	}
	argv[at++] = DYING_PATH;
	argv[at++] = conninfo;
	argv[at] = expected->does;
	const struct live_program_options options = { .argv = argv };
	struct live_run run = live_run(&options, 60000);
	json_t *result = json_loads(run.out, 0, NULL);
	*ret_status = run.status;
	if (!result)
		fail_msg("no result: %s%s", run.out, run.err);
	live_run_clear(&run);
	return result;
}

static const char *null_for(const char *text)
{
	return text ? text : "null";
}

static void check(const struct expectation *expected)
{
	int status;
	json_t *result = run_dbtop(expected, &status);
	CLEANUP(cleanup_free) char *line = json_dumps(result, 0);
	const char *target = live_text(result, "target");
	if (status != expected->status ||
		strcmp(live_text(result, "verdict"), expected->verdict) != 0 ||
		strcmp(null_for(live_text(result, "behaviour")), null_for(expected->behaviour)) !=
			0 ||
		(expected->says && !strstr(live_text(result, "text"), expected->says)) ||
		(expected->signal && strcmp(live_text(result, "signal"), expected->signal) != 0) ||
		(expected->signal && strcmp(null_for(target), null_for(expected->target)) != 0)) {
		fprintf(stderr, "%s\n", line);
		fail_msg("%s: expected %s %s and status %d, found status %d", expected->does,
			expected->verdict, null_for(expected->behaviour), expected->status, status);
	}
	json_decref(result);
	live_wait_sessions(server, NULL, 0, 20000);
}

static void check_all(const struct expectation *expected, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&expected[i]);
}

#define CHECK_ALL(list) check_all(list, sizeof(list) / sizeof((list)[0]))

/* A shell in between: what a terminal sends reaches its child, what docker sends does not. */
#define IN_A_SHELL "\"$0\" \"$1\" \"$2\"; true"

static void the_signal_goes_to_its_target(void **state)
{
	(void)state;
	static const struct expectation expected[] = {
		{ { "--ready", "2" }, IN_A_SHELL, "closed", "pass", "closed", 0, NULL, "INT",
			"group" },
		{ { "--ready", "2", "--target", "leader", "--timeout", "2" }, IN_A_SHELL, "closed",
			"fail", "ignored_signal", 1, "work goes on: sh", "INT", "leader" },
		{ { "--ready", "2", "--signal", "TERM", "--timeout", "2" }, IN_A_SHELL, "closed",
			"fail", "child_kept_connection", 1, NULL, "TERM", "leader" },
		{ { "--ready", "2", "--signal", "TERM", "--target", "group" }, IN_A_SHELL, "died",
			"pass", "died_unclosed", 0, NULL, "TERM", "group" },
	};
	CHECK_ALL(expected);
}

/* The shell takes the signal and waits for its child, which does not get it. */
static void only_the_target_takes_the_signal(void **state)
{
	(void)state;
	static const struct expectation leader = { { "--ready", "2", "--target", "leader",
							   "--timeout", "1" },
		IN_A_SHELL, "closed", NULL, NULL, 0, NULL, NULL, NULL };
	int status, taken = 0;
	size_t i;
	json_t *event, *result = run_dbtop(&leader, &status);
	json_array_foreach(live_member(result, "timeline"), i, event)
	{
		if (strcmp(live_text(event, "event"), "signal_taken") != 0)
			continue;
		assert_non_null(strstr(live_text(event, "text"), "sh "));
		taken++;
	}
	assert_int_equal(taken, 1);
	json_decref(result);
}

static void a_job_ends_by_itself(void **state)
{
	(void)state;
	static const struct expectation expected[] = {
		{ { "--ready", "2", "--signal", "none" }, NULL, "job", "pass", "closed", 0,
			"all 2 connections closed", "none", NULL },
		{ { "--ready", "2", "--signal", "none", "--expect", "3" }, NULL, "job", "fail",
			"closed", 1, "it ended with status 0, which was not expected", "none",
			NULL },
		{ { "--ready", "2", "--signal", "none", "--timeout", "1" }, NULL, "ignored", "fail",
			"never_exited", 1, "still runs 1 s after it was ready", "none", NULL },
		{ { "--signal", "none" }, NULL, "short", "none", NULL, 3,
			"it ended with status 7 before it was ready", "none", NULL },
	};
	CHECK_ALL(expected);
}

static void the_exit_status_is_the_expected_one(void **state)
{
	(void)state;
	static const struct expectation expected[] = {
		{ { "--ready", "2", "--expect", "0" }, NULL, "closed", "pass", "closed", 0, NULL,
			NULL, NULL },
		{ { "--ready", "2", "--expect", "1", "--expect", "INT" }, NULL, "closed-raise",
			"pass", "closed", 0, NULL, NULL, NULL },
		{ { "--ready", "2", "--expect", "0" }, NULL, "closed-raise", "fail", "closed", 1,
			"it ended with status 130, which was not expected", NULL, NULL },
	};
	CHECK_ALL(expected);
}

static bool was_signalled(json_t *result)
{
	size_t i;
	json_t *event;
	json_array_foreach(live_member(result, "timeline"), i, event)
	{
		if (strcmp(live_text(event, "event"), "signal") == 0)
			return true;
	}
	return false;
}

/* It is ready once, but not any more when the signal is due: it is not signalled. */
static void without_its_connections_it_is_not_signalled(void **state)
{
	(void)state;
	static const struct expectation gave_back = { { "--ready", "2", "--after", "3",
							      "--ready-timeout", "5" },
		NULL, "gave-back", "none", NULL, 3, "it held 0 connections", NULL, NULL };
	int status;
	json_t *result = run_dbtop(&gave_back, &status);
	assert_int_equal(status, 3);
	assert_string_equal(live_text(result, "verdict"), "none");
	assert_non_null(strstr(live_text(result, "text"), gave_back.says));
	assert_false(was_signalled(result));
	json_decref(result);
	/* and one that never holds a connection does not wait for a minute */
	static const struct expectation idle = { { "--ready-timeout", "0.5" }, "sleep 100", "",
		"none", NULL, 3, "it held 0 connections", NULL, NULL };
	check(&idle);
}

/* A timeline without a signal does not say that one was taken. */
static void a_signal_that_was_not_sent_is_not_taken(void **state)
{
	(void)state;
	static const struct expectation job = { { "--ready", "2", "--signal", "none" }, NULL, "job",
		NULL, NULL, 0, NULL, NULL, NULL };
	int status;
	json_t *result = run_dbtop(&job, &status);
	CLEANUP(cleanup_free) char *line = json_dumps(result, 0);
	if (status != 0 || strstr(line, "took"))
		fail_msg("%s", line);
	json_decref(result);
}

/* Signalled while it still opens its connections: never more than it opened. */
static void no_more_connections_than_were_opened(void **state)
{
	(void)state;
	static const struct expectation early = { { "--after", "0.01", "--timeout", "60" }, NULL,
		"closed", NULL, NULL, 0, NULL, NULL, NULL };
	for (int i = 0; i < live_rounds(20); i++) {
		int status;
		json_t *result = run_dbtop(&early, &status);
		CLEANUP(cleanup_free) char *line = json_dumps(result, 0);
		json_int_t before = json_integer_value(live_member(result, "connections_before")),
			   opened = json_integer_value(live_member(result, "connections_opened"));
		if (status != 0 || before < 1 || before + opened > 2)
			fail_msg("%s", line);
		json_decref(result);
		live_wait_sessions(server, NULL, 0, 20000);
	}
}

/* The server is reached through a process that forwards, one for each connection: the sessions are
 * those of the command behind it. */
static void behind_a_forwarder_sessions_are_found(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *connect = mem_printf("TCP:127.0.0.1:%d", private_server_port(server));
	const char *argv[] = { "socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1,fork", connect,
		NULL };
	struct live_program *socat =
		live_start(&(struct live_program_options){ .argv = argv, .own_group = true });
	live_wait_err(socat, "listening on AF=2 127.0.0.1:", 20000);
	CLEANUP(cleanup_free)
	char *through = mem_printf(
		"%s port=%d", conninfo, atoi(strstr(live_err(socat), " 127.0.0.1:") + 11));
	struct live_run run = live_dbtop("--shutdown-test", "--json", "--ready", "2", "--timeout",
		"60", through, "--", DYING_PATH, through, "closed", NULL);
	if (run.status != 0 || !strstr(run.out, "\"behaviour\":\"closed\"") ||
		!strstr(run.out, "\"connections_before\":2"))
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	live_run_clear(&run);
	live_signal(socat, SIGTERM);
}

/* A shell that starts a client for each round: there is no verdict about nothing. */
static void a_client_a_round_is_judged_with_a_connection(void **state)
{
	(void)state;
	static const struct expectation rounds = { { "--ready-timeout", "3", "--timeout", "30" },
		"while \"$0\" \"$1\" \"$2\"; do sleep 0.05; done", "once", NULL, NULL, 0, NULL,
		NULL, NULL };
	for (int i = 0; i < live_rounds(5); i++) {
		int status;
		json_t *result = run_dbtop(&rounds, &status);
		bool none = strcmp(live_text(result, "verdict"), "none") == 0;
		long before = (long)json_integer_value(live_member(result, "connections_before"));
		assert_int_equal(status == 3, none);
		assert_true(none || before >= 1);
		json_decref(result);
	}
}

static void a_child_without_a_connection_runs_on(void **state)
{
	(void)state;
	static const struct expectation expected[] = {
		{ { "--ready", "2", "--timeout", "2" }, "sleep 100 & exec \"$0\" \"$1\" \"$2\"",
			"closed", "fail", "child_still_runs", 1,
			"the command ended, but child sleep", NULL, NULL },
	};
	CHECK_ALL(expected);
}

static json_t *find_hook(json_t *result, const char *name)
{
	size_t i;
	json_t *hook;
	json_array_foreach(live_member(result, "hooks"), i, hook)
	{
		if (strcmp(live_text(hook, "name"), name) == 0)
			return hook;
	}
	return NULL;
}

/* What a pool says last is read after it has removed its page. */
static void writes_of_a_pool_are_not_lost_unseen(void **state)
{
	(void)state;
	static const struct {
		const char *does, *behaviour, *hook;
		int status;
		bool pending;
		json_int_t waiting;
	} cases[] = {
		{ "flush", "closed", "done", 0, false, 0 },
		{ "flush-late", "lost_writes", "late", 1, true, 0 },
		{ "flush-failed", "lost_writes", "failed", 1, false, 0 },
		/* these are on disk */
		{ "outbox", "closed", "done", 0, false, 0 },
		{ "outbox-waits", "closed", "done", 0, false, 12 },
	};
	setenv("TMPDIR", live_folder(), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct live_run run =
			live_dbtop("--shutdown-test", "--json", "--ready", "2", "--timeout", "60",
				conninfo, "--", DYING_POOL_PATH, conninfo, cases[i].does, NULL);
		json_t *result = json_loads(run.out, 0, NULL);
		json_t *hook = result ? find_hook(result, "outbox") : NULL;
		if (!hook || run.status != cases[i].status ||
			strcmp(null_for(live_text(result, "behaviour")), cases[i].behaviour) != 0 ||
			strcmp(live_text(hook, "state"), cases[i].hook) != 0 ||
			(json_integer_value(live_member(result, "pending_writes")) > 0) !=
				cases[i].pending ||
			json_integer_value(live_member(result, "outbox_waiting")) !=
				cases[i].waiting ||
			(cases[i].waiting &&
				!strstr(live_text(result, "text"), "12 writes wait in the outbox")))
			fail_msg(
				"%s: status %d: %s%s", cases[i].does, run.status, run.out, run.err);
		assert_string_equal(live_text(hook, "phase"), "flush");
		json_decref(result);
		live_run_clear(&run);
		live_wait_sessions(server, NULL, 0, 20000);
	}
}

/* What the drivers' own pools do: close() and end() close the connections, an exit does not. */
static void pools_of_drivers_are_closed_or_not(void **state)
{
	(void)state;
	static const struct {
		const char *interpreter, *script, *play, *behaviour;
	} cases[] = {
		{ "node", "tests/live/sessions.js", "end", "closed" },
		{ "node", "tests/live/sessions.js", "exit", "died_unclosed" },
		{ "/usr/bin/python3", "tests/live/sessions.py", "psycopg3_close", "closed" },
		{ "/usr/bin/python3", "tests/live/sessions.py", "psycopg3_exit", "died_unclosed" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const argv[] = { live_dbtop_path(), "--shutdown-test", "--json",
			"--ready", "2", "--timeout", "60", "--expect", "0", conninfo, "--",
			cases[i].interpreter, cases[i].script, cases[i].play, conninfo, NULL };
		const char *const environment[] = { live_node_path(), NULL };
		struct live_run run = live_run(
			&(struct live_program_options){ .argv = argv, .env = environment }, 90000);
		CLEANUP(cleanup_free)
		char *behaviour = mem_printf("\"behaviour\":\"%s\"", cases[i].behaviour);
		if (run.status != 0 || !strstr(run.out, behaviour) ||
			!strstr(run.out, "\"connections_before\":2"))
			fail_msg(
				"%s: status %d: %s%s", cases[i].play, run.status, run.out, run.err);
		live_run_clear(&run);
		live_wait_sessions(server, NULL, 0, 20000);
	}
}

/* What runs on at the signal: a borrower that ends in time, one that takes a minute, and a thread
 * that nobody waits for. All at a time, because they wait, and each in a database of its own: what
 * one abandons does not count for another. */
static void who_borrowed_is_waited_for_or_not(void **state)
{
	(void)state;
	static const struct {
		const char *play, *held, *timeout, *behaviour, *says;
		int status;
	} cases[] = {
		{ "psycopg3_borrower", "HELD=0.5", "60", "closed", "all 2 connections closed in",
			0 },
		{ "psycopg3_borrower", "HELD=60", "4", "never_exited",
			"still runs 4 s after SIGINT with 2 connections", 1 },
		{ "psycopg3_daemon", "HELD=0", "6", "left_sessions", "1 connection left ", 1 },
	};
	enum { CASES = sizeof(cases) / sizeof(cases[0]) };
	struct live_program *programs[CASES];
	for (size_t i = 0; i < CASES; i++) {
		CLEANUP(cleanup_free) char *database = mem_printf("dbname=held%zu", i);
		CLEANUP(cleanup_free) char *create = mem_printf("CREATE DATABASE held%zu", i);
		CLEANUP(cleanup_free) char *own = live_conninfo(server, LIVE_TCP4, database);
		live_sql(server, create);
		const char *const argv[] = { live_dbtop_path(), "--shutdown-test", "--json",
			"--ready", "2", "--after", "0.5", "--timeout", cases[i].timeout, own, "--",
			"/usr/bin/python3", "tests/live/sessions.py", cases[i].play, own, NULL };
		const char *const environment[] = { cases[i].held, NULL };
		programs[i] = live_start(
			&(struct live_program_options){ .argv = argv, .env = environment });
	}
	for (size_t i = 0; i < CASES; i++) {
		int status = live_finish(programs[i], 90000);
		json_t *result = live_last_json(programs[i], NULL);
		if (status != cases[i].status || !result ||
			strcmp(null_for(live_text(result, "behaviour")), cases[i].behaviour) != 0 ||
			!strstr(live_text(result, "text"), cases[i].says))
			fail_msg("%s %s: status %d: %s%s", cases[i].play, cases[i].held, status,
				live_out(programs[i]), live_err(programs[i]));
		json_decref(result);
	}
	live_wait_sessions(server, NULL, 0, 20000);
}

static void mistakes_are_usage_errors(void **state)
{
	(void)state;
	static const struct {
		const char *option, *value, *says;
	} mistakes[] = {
		{ "--target", "all", "--target: expected group or leader" },
		{ "--expect", "256", "--expect: expected an exit status from 0 to 255" },
		{ "--expect", "SIGNONE", "--expect: expected an exit status" },
		{ "--ready-timeout", "0", "--ready-timeout: expected more than 0 seconds" },
		{ "--timeout", "0", "--timeout: expected more than 0 seconds" },
	};
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct live_run run = live_dbtop("--shutdown-test", mistakes[i].option,
			mistakes[i].value, conninfo, "--", "true", NULL);
		assert_int_equal(run.status, 2);
		if (!strstr(run.err, mistakes[i].says))
			fail_msg("expected \"%s\", found \"%s\"", mistakes[i].says, run.err);
		live_run_clear(&run);
	}
	struct live_run run = live_dbtop("--shutdown-test", "--signal", "none", "--target",
		"leader", conninfo, "--", "true", NULL);
	assert_int_equal(run.status, 2);
	live_run_clear(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_signal_goes_to_its_target, live_teardown),
		cmocka_unit_test_teardown(only_the_target_takes_the_signal, live_teardown),
		cmocka_unit_test_teardown(a_job_ends_by_itself, live_teardown),
		cmocka_unit_test_teardown(the_exit_status_is_the_expected_one, live_teardown),
		cmocka_unit_test_teardown(
			without_its_connections_it_is_not_signalled, live_teardown),
		cmocka_unit_test_teardown(
			a_client_a_round_is_judged_with_a_connection, live_teardown),
		cmocka_unit_test_teardown(a_child_without_a_connection_runs_on, live_teardown),
		cmocka_unit_test_teardown(writes_of_a_pool_are_not_lost_unseen, live_teardown),
		cmocka_unit_test_teardown(a_signal_that_was_not_sent_is_not_taken, live_teardown),
		cmocka_unit_test_teardown(no_more_connections_than_were_opened, live_teardown),
		cmocka_unit_test_teardown(behind_a_forwarder_sessions_are_found, live_teardown),
		cmocka_unit_test_teardown(pools_of_drivers_are_closed_or_not, live_teardown),
		cmocka_unit_test_teardown(who_borrowed_is_waited_for_or_not, live_teardown),
		cmocka_unit_test_teardown(mistakes_are_usage_errors, live_teardown),
	};
	return cmocka_run_group_tests_name("shutdown_rules", tests, start_server, stop_server);
}
