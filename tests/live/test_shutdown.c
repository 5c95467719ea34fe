/* --shutdown-test on a real server: what is left is ended afterwards, and the drain time is that of
 * the last session. test_behaviours.c has the verdicts. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define PYTHON       "/usr/bin/python3"
#define DYING_NAP_MS 20 /* dying closed: from the signal to its closing */

/* When this backend's session ended by the server's log, in seconds; 0: not logged. */
static double logged_end(const char *log, long pid)
{
	char mark[32];
	double end = 0;
	snprintf(mark, sizeof(mark), " [%ld] ", pid);
	for (const char *line = log; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		size_t length = strcspn(line, "\n");
		const char *found = memmem(line, length, mark, strlen(mark));
		int ms;
		struct tm tm = { 0 };
		if (!found || !memmem(line, length, "disconnection:", 14) ||
			sscanf(line, "%d-%d-%d %d:%d:%d.%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
				&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7)
			continue;
		tm.tm_year -= 1900;
		tm.tm_mon--;
		end = (double)timegm(&tm) + ms / 1000.0;
	}
	return end;
}

static double instant_of(const char *rfc3339)
{
	struct tm tm = { 0 };
	double seconds;
	assert_int_equal(sscanf(rfc3339, "%d-%d-%dT%d:%d:%lf", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
				 &tm.tm_hour, &tm.tm_min, &seconds),
		6);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (double)timegm(&tm) + seconds;
}

/* The last of the round's sessions to go, by the server's log, in ms after the signal. */
static double logged_drain(const char *log, json_t *result)
{
	double last = 0;
	size_t i;
	json_t *entry;
	json_array_foreach(live_member(result, "timeline"), i, entry)
	{
		const char *event = live_text(entry, "event");
		double end = strcmp(event, "closed") == 0
			? logged_end(log, (long)json_integer_value(live_member(entry, "pid")))
			: 0;
		last = end > last ? end : last;
	}
	assert_true(last > 0);
	return (last - instant_of(live_text(result, "signalled_at"))) * 1000;
}

/* The time of the last event of this kind; −1: there is none. */
static json_int_t last_event(json_t *result, const char *kind)
{
	json_int_t last = -1;
	size_t i;
	json_t *entry;
	json_array_foreach(live_member(result, "timeline"), i, entry)
	{
		if (strcmp(live_text(entry, "event"), kind) == 0)
			last = json_integer_value(live_member(entry, "ms"));
	}
	return last;
}

/* What holds however busy the machine is. Returns how much later than the server's log dbtop saw
 * the last end, in ms. */
static double check_drain(json_t *result, const char *log)
{
	json_int_t drained = json_integer_value(live_member(result, "drained_ms"));
	double logged = logged_drain(log, result),
	       signalled = instant_of(live_text(result, "signalled_at"));
	/* the program closes nothing before that; the log has whole milliseconds */
	if (drained < DYING_NAP_MS || logged <= DYING_NAP_MS - 1 ||
		drained != last_event(result, "closed") ||
		drained != last_event(result, "server_clean") ||
		signalled + (double)drained / 1000 > (double)time(NULL) + 1)
		fail_msg("by the log after %.1f ms: %s", logged, json_dumps(result, 0));
	return (double)drained - logged;
}

/* A test measures time with a machine that is busy with other tests: what the difference may be is
 * no test's to say. The unit tests shutdown and watch have exact times. */
static void drains_with_the_last_session(void **state)
{
	(void)state;
	int rounds = live_rounds(20), count = 0;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *repeat = mem_printf("%d", rounds);
	struct live_run run = live_dbtop("--shutdown-test", "--json", "--ready", "2", "--timeout",
		"60", "--repeat", repeat, conninfo, "--", DYING_PATH, conninfo, "closed", NULL);
	CLEANUP(cleanup_free) char *log = live_group_log();
	assert_int_equal(run.status, 0);
	for (const char *line = run.out; *line; line = strchr(line, '\n') + 1) {
		json_t *result = json_loadb(line, strcspn(line, "\n"), 0, NULL);
		assert_non_null(result);
		print_message(
			"drained %+.1f ms beside the server's log\n", check_drain(result, log));
		json_decref(result);
		count++;
	}
	assert_int_equal(count, rounds);
	live_run_clear(&run);
}

/* The phases of a pool's shutdown and its pending writes, from the stats page. */
static void the_phases_of_a_pool_are_reported(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_run run = live_dbtop("--shutdown-test", "--ready", "2", "--after", "1.5",
		conninfo, "--", DYING_POOL_PATH, conninfo, "flush", NULL);
	assert_int_equal(run.status, 0);
	if (!strstr(run.out, "phase: flushing") || !strstr(run.out, "pending writes → 0 in"))
		fail_msg("no phases: %s", run.out);
	live_run_clear(&run);
}

static bool has_sessions(void *data)
{
	return live_sessions(server, data) >= 2;
}

static void an_interrupted_test_leaves_nothing(void **state)
{
	(void)state;
	static const int signals[] = { SIGINT, SIGTERM };
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "application_name=victim");
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		const char *argv[] = { live_dbtop_path(), "--shutdown-test", "--ready", "9",
			conninfo, "--", DYING_PATH, conninfo, "ignored", NULL };
		const struct live_program_options options = { .argv = argv };
		struct live_program *program = live_start(&options);
		assert_true(live_wait(
			has_sessions, (void *)(uintptr_t) "application_name = 'victim'", 10000));
		live_signal(program, signals[i]);
		assert_int_equal(live_finish(program, 10000), 128 + signals[i]);
		if (!strstr(live_err(program), "dying): killed") ||
			strstr(live_err(program), "): left"))
			fail_msg("%s", live_err(program));
		live_wait_sessions(server, "application_name = 'victim'", 0, 5000);
		live_free(program);
	}
}

static void no_verdict_is_no_pass(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_run run = live_dbtop(
		"--shutdown-test", "--json", conninfo, "--", DYING_PATH, conninfo, "short", NULL);
	assert_int_equal(run.status, 3);
	json_t *result = json_loads(run.out, 0, NULL);
	assert_string_equal(live_text(result, "verdict"), "none");
	assert_true(json_is_null(live_member(result, "drained_ms")));
	assert_non_null(strstr(live_text(result, "text"), "it ended with status 7"));
	json_decref(result);
	live_run_clear(&run);
}

/* A database of its own, so that the sessions of the other play do not count. */
static char *make_place(const char *database)
{
	CLEANUP(cleanup_free) char *create = mem_printf("CREATE DATABASE %s", database);
	CLEANUP(cleanup_free) char *more = mem_printf("dbname=%s", database);
	live_sql(server, create);
	return live_conninfo(server, LIVE_TCP4, more);
}

/* A program that opens a session at its very end and leaves a statement in it. If no sample sees
 * its socket, the session looks as that of somebody else who has gone: the second play makes that
 * certain. The session is opened by a process that dbtop does not follow, while the command still
 * runs. */
static void a_session_opened_at_the_end_never_passes(void **state)
{
	(void)state;
	static const char opener[] = "until test -e $2/go; do sleep 0.02; done; \"$0\" \"$1\" "
				     "abandoned && touch $2/opened";
	static const char command[] = "trap : INT; \"$0\" \"$1\" closed; touch $2/go\n"
				      "until test -e $2/opened; do sleep 0.02; done";
	CLEANUP(cleanup_free) char *own = make_place("own"), *other = make_place("other");
	const char *late[] = { live_dbtop_path(), "--shutdown-test", "--json", "--ready", "2",
		"--timeout", "2", own, "--", DYING_PATH, own, "late", NULL };
	const char *open[] = { "sh", "-c", opener, DYING_PATH, other, live_folder(), NULL };
	struct live_program *program = live_start(&(struct live_program_options){ .argv = late });
	(void)live_start(&(struct live_program_options){ .argv = open });
	struct live_run run = live_dbtop("--shutdown-test", "--json", "--ready", "2", "--timeout",
		"60", other, "--", "sh", "-c", command, DYING_PATH, other, live_folder(), NULL);
	if (run.status != 3 || !strstr(run.out, "and lost its client"))
		fail_msg("the other's: status %d: %s%s", run.status, run.out, run.err);
	int status = live_finish(program, 60000);
	json_t *result = live_last_json(program, NULL);
	if (!result || (status != 1 && status != 3) ||
		json_integer_value(live_member(result, "connections_before")) != 2)
		fail_msg("its own: status %d: %s%s", status, live_out(program), live_err(program));
	json_decref(result);
	live_run_clear(&run);
	live_sql(server,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE datname IN ('own', 'other')");
}

static void hidden_sessions_give_no_verdict(void **state)
{
	(void)state;
	live_sql(server, "CREATE ROLE blind LOGIN");
	CLEANUP(cleanup_free) char *own = live_conninfo(server, LIVE_TCP4, "user=blind");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_run run = live_dbtop("--shutdown-test", "--timeout", "1", own, "--", "sh", "-c",
		"sleep 3 & exec \"$0\" \"$1\" closed", DYING_PATH, conninfo, NULL);
	/* its sockets are seen: it is not one that holds no connection */
	assert_int_equal(run.status, 3);
	live_run_clear(&run);
}

static void the_signal_is_the_one_that_was_asked_for(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_run run = live_dbtop("--shutdown-test", "--json", "--signal", "sigkill",
		"--after", "0.2", "--strict", conninfo, "--", DYING_PATH, conninfo, "closed", NULL);
	json_t *result = json_loads(run.out, 0, NULL);
	assert_string_equal(live_text(result, "signal"), "KILL");
	assert_int_equal(json_integer_value(live_member(result, "exit_status")), 137);
	assert_string_equal(live_text(result, "behaviour"), "died_unclosed");
	/* --strict */
	assert_string_equal(live_text(result, "verdict"), "fail");
	assert_int_equal(run.status, 1);
	json_decref(result);
	live_run_clear(&run);
}

/* The XML is well-formed, whatever the command contains. */
static void junit_is_well_formed(void **state)
{
	(void)state;
	static const char script[] =
		"import sys, xml.etree.ElementTree as t\n"
		"s = t.parse(sys.argv[1]).getroot()\n"
		"c = s.findall('testcase')\n"
		"print(s.tag, s.get('tests'), s.get('failures'), s.get('errors'), len(c),\n"
		"      c[0].find('failure').get('type'), '<&\"' in c[0].get('name'))\n";
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *path = mem_printf("%s/junit.xml", live_folder());
	struct live_run run = live_dbtop("--shutdown-test", "--timeout", "0.3", "--repeat", "2",
		"--junit", path, conninfo, "--", "sh", "-c",
		"exec \"$0\" \"$1\" ignored # <&\"\x01", DYING_PATH, conninfo, NULL);
	assert_int_equal(run.status, 1);
	assert_non_null(strstr(run.out, "1 of 2  FAIL  ignored_signal"));
	const char *argv[] = { PYTHON, "-c", script, path, NULL };
	const struct live_program_options options = { .argv = argv };
	struct live_run parsed = live_run(&options, 10000);
	assert_string_equal(parsed.out, "testsuite 2 2 0 2 ignored_signal True\n");
	live_run_clear(&parsed);
	live_run_clear(&run);
}

static void mistakes_are_usage_errors(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	static const struct {
		const char *arguments[4], *says;
	} mistakes[] = {
		{ { "--signal", "NOTHING", NULL }, "--signal: expected INT" },
		{ { "--timeout", "soon", NULL }, "--timeout: expected a number of seconds" },
		{ { "--ready", "0", NULL }, "--ready: expected a number from 1" },
		{ { "--junit", "/nonexistent/x.xml", NULL }, "--junit: /nonexistent/x.xml" },
		{ { "--readonly", NULL }, "--readonly forbids --shutdown-test" },
	};
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const char *argv[12] = { live_dbtop_path(), "--shutdown-test", conninfo };
		size_t at = 3;
		for (const char *const *a = mistakes[i].arguments; *a; a++)
			argv[at++] = *a;
		argv[at++] = "--";
		argv[at] = "true";
		const struct live_program_options options = { .argv = argv };
		struct live_run run = live_run(&options, 10000);
		assert_int_equal(run.status, 2);
		if (!strstr(run.err, mistakes[i].says))
			fail_msg("expected \"%s\", found \"%s\"", mistakes[i].says, run.err);
		live_run_clear(&run);
	}
	struct live_run run = live_dbtop("--shutdown-test", conninfo, NULL);
	assert_int_equal(run.status, 2);
	live_run_clear(&run);
	run = live_dbtop("--shutdown-test", conninfo, "--", "/nonexistent/program", NULL);
	assert_int_equal(run.status, 2);
	assert_non_null(strstr(run.err, "No such file"));
	live_run_clear(&run);
	run = live_dbtop("--shutdown-test", "host=127.0.0.1 port=1", "--", "true", NULL);
	assert_int_equal(run.status, 3);
	live_run_clear(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(drains_with_the_last_session),
		LIVE_TEST(the_phases_of_a_pool_are_reported),
		LIVE_TEST(an_interrupted_test_leaves_nothing),
		LIVE_TEST(no_verdict_is_no_pass),
		LIVE_TEST(a_session_opened_at_the_end_never_passes),
		LIVE_TEST(hidden_sessions_give_no_verdict),
		LIVE_TEST(the_signal_is_the_one_that_was_asked_for),
		LIVE_TEST(junit_is_well_formed),
		LIVE_TEST(mistakes_are_usage_errors),
	};
	return LIVE_GROUP("shutdown", tests,
		.settings = (const char *const[]){
			"log_connections=on", "log_disconnections=on", NULL });
}
