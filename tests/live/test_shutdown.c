/* --shutdown-test on a real server: each behaviour by a real program, 50 times of 50; what is left
 * is ended afterwards; and the drain time is that of the server's log. */
#include "live_group.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define ROUNDS     50 /* of each */
#define AT_A_TIME  8
#define RUN_MS     600000
#define PYTHON     "/usr/bin/python3"
#define DYING_PY   "tests/live/dying.py"
#define NEVER_LATE "60"  /* a time that is long enough for whatever ends by itself */
#define SHORT      "0.6" /* … and short enough for what never ends */

enum program { LIBPQ, PSYCOPG2, LIBDBPOOL, PGBOUNCER };

/* The verdict that a program must get. */
static const struct expectation {
	enum program program;
	const char *does, *timeout;
	const char *behaviour;
	bool pass;
	int after, status; /* sessions left; exit status, −1 for none */
	bool rolled_back_write;
} expectations[] = {
	/* those that run into their timeout come first: they only wait, the others use the
	   processor */
	{ LIBPQ, "never-exited", "1", "never_exited", false, 0, -1, false },
	{ LIBPQ, "hung", SHORT, "never_exited", false, 2, -1, false },
	{ LIBPQ, "ignored", SHORT, "ignored_signal", false, 2, -1, false },
	{ LIBPQ, "worked-on", "3", "ignored_signal", false, 2, -1, false },
	{ LIBPQ, "child", "1.5", "child_kept_connection", false, 1, 0, false },
	{ LIBPQ, "left-sessions", "1.6", "left_sessions", false, 1, 0, false },
	{ PSYCOPG2, "never-exited", "1.5", "never_exited", false, 0, -1, false },
	{ PSYCOPG2, "ignored", "3", "ignored_signal", false, 2, -1, false },
	{ PSYCOPG2, "child", "3", "child_kept_connection", false, 1, 0, false },
	{ PSYCOPG2, "left-sessions", "3", "left_sessions", false, 1, 0, false },
	{ LIBPQ, "closed", NEVER_LATE, "closed", true, 0, 0, false },
	{ LIBPQ, "closed-raise", NEVER_LATE, "closed", true, 0, 130, false },
	{ LIBPQ, "cancelled", NEVER_LATE, "closed", true, 0, 0, false },
	{ LIBPQ, "reconnected", NEVER_LATE, "reconnected", true, 0, 0, false },
	{ LIBPQ, "died", NEVER_LATE, "died_unclosed", true, 0, 130, false },
	{ LIBPQ, "lost-write", NEVER_LATE, "died_unclosed", true, 0, 0, true },
	{ PSYCOPG2, "closed", NEVER_LATE, "closed", true, 0, 0, false },
	{ PSYCOPG2, "reconnected", NEVER_LATE, "reconnected", true, 0, 0, false },
	{ PSYCOPG2, "died", NEVER_LATE, "died_unclosed", true, 0, 130, false },
	{ PSYCOPG2, "lost-write", NEVER_LATE, "died_unclosed", true, 0, 0, true },
	/* behind PgBouncer the sessions are its own: the application's are its two links, and what
	 * it left open in one of those sessions */
	{ PGBOUNCER, "left-busy", "3", "left_sessions", false, 1, 0, false },
	{ PGBOUNCER, "never-exited", "1", "never_exited", false, 0, -1, false },
	{ LIBDBPOOL, "never-exited", "2", "never_exited", false, 0, -1, false },
	{ PGBOUNCER, "reconnected-at-once", NEVER_LATE, "reconnected", true, 0, 0, false },
	{ PGBOUNCER, "died-raise", NEVER_LATE, "closed", true, 0, 130, false },
	{ LIBPQ, "reconnected-at-once", NEVER_LATE, "reconnected", true, 0, 0, false },
	{ LIBPQ, "died-raise", NEVER_LATE, "died_unclosed", true, 0, 130, false },
	{ PGBOUNCER, "closed", NEVER_LATE, "closed", true, 0, 0, false },
	{ PGBOUNCER, "closed-raise", NEVER_LATE, "closed", true, 0, 130, false },
	{ PGBOUNCER, "died", NEVER_LATE, "died_unclosed", true, 0, 130, false },
	{ LIBDBPOOL, "closed", NEVER_LATE, "closed", true, 0, 130, false },
	{ LIBDBPOOL, "flush", NEVER_LATE, "closed", true, 0, 130, false },
	{ LIBDBPOOL, "died", NEVER_LATE, "died_unclosed", true, 0, 130, false },
};
#define EXPECTATIONS (sizeof(expectations) / sizeof(expectations[0]))

struct run {
	const struct expectation *expectation;
	struct live_program *program; /* NULL: not begun, or over */
	bool over;
};

static struct live_pgbouncer *pgbouncer;

static char *conninfo_of(size_t run)
{
	CLEANUP(cleanup_free) char *more = mem_printf("dbname=run%zu", run);
	/* both ways are used: over the one a session is told by its port, over the other by its
	 * socket's ends */
	return live_conninfo(server, run % 2 ? LIVE_UNIX : LIVE_TCP4, more);
}

/* What the application connects with: behind PgBouncer that is not what dbtop does. */
static char *application_conninfo(const struct expectation *expectation, size_t index)
{
	if (expectation->program != PGBOUNCER)
		return conninfo_of(index);
	CLEANUP(cleanup_free) char *more = mem_printf("dbname=run%zu", index);
	return live_pgbouncer_conninfo(pgbouncer, index % 2 ? LIVE_UNIX : LIVE_TCP4, more);
}

static void begin(struct run *run, size_t index)
{
	static const char *const programs[] = {
		[LIBPQ] = DYING_PATH,
		[PSYCOPG2] = DYING_PY,
		[LIBDBPOOL] = DYING_POOL_PATH,
		[PGBOUNCER] = DYING_PATH,
	};
	const struct expectation *expectation = run->expectation;
	CLEANUP(cleanup_free) char *conninfo = conninfo_of(index);
	CLEANUP(cleanup_free) char *application = application_conninfo(expectation, index);
	CLEANUP(cleanup_free)
	char *console =
		live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=admin dbname=pgbouncer");
	CLEANUP(cleanup_free) char *rounds = mem_printf("%d", live_rounds(ROUNDS));
	const char *argv[24] = { live_dbtop_path(), "--shutdown-test", "--json", "--ready", "2",
		"--timeout", expectation->timeout, "--repeat", rounds, conninfo };
	size_t at = 10;
	if (expectation->program == PGBOUNCER) {
		/* time for a round of its console */
		const char *const more[] = { "--pgbouncer", console, "--interval", "0.2", "--after",
			"0.8" };
		memcpy(argv + at, more, sizeof(more));
		at += sizeof(more) / sizeof(more[0]);
	}
	argv[at++] = "--";
	if (expectation->program == PSYCOPG2)
		argv[at++] = PYTHON;
	argv[at++] = programs[expectation->program];
	argv[at++] = application;
	argv[at] = expectation->does;
	const struct live_program_options options = { .argv = argv };
	run->program = live_start(&options);
}

static const char *null_for(const char *text)
{
	return text ? text : "null";
}

static bool is_as_expected(const struct expectation *expected, json_t *result)
{
	json_t *status = live_member(result, "exit_status");
	int found_status = json_is_integer(status) ? (int)json_integer_value(status) : -1;
	return strcmp(null_for(live_text(result, "behaviour")), expected->behaviour) == 0 &&
		strcmp(null_for(live_text(result, "verdict")), expected->pass ? "pass" : "fail") ==
		0 &&
		json_integer_value(live_member(result, "connections_before")) == 2 &&
		json_integer_value(live_member(result, "connections_after")) == expected->after &&
		found_status == expected->status &&
		json_is_true(live_member(result, "rolled_back_write")) ==
		expected->rolled_back_write;
}

/* Behind PgBouncer one that dies unclosed looks like one that closed at the last moment: neither is
 * claimed. */
static bool is_honest(const struct expectation *expected, json_t *result)
{
	return expected->program != PGBOUNCER || strcmp(expected->does, "died-raise") != 0 ||
		strstr(live_text(result, "text"), "cannot be told");
}

static const char *const program_names[] = {
	[LIBPQ] = "libpq",
	[PSYCOPG2] = "psycopg2",
	[LIBDBPOOL] = "libdbpool",
	[PGBOUNCER] = "libpq behind PgBouncer",
};

static void check_round(const struct run *run, const char *line, int round)
{
	CLEANUP(cleanup_free) char *text = strndup(line, strcspn(line, "\n"));
	json_t *result = json_loads(text, 0, NULL);
	if (!result || !is_as_expected(run->expectation, result) ||
		!is_honest(run->expectation, result)) {
		/* longer than a message of cmocka's may be */
		fprintf(stderr, "%s\n", text);
		fail_msg("%s by %s, round %d", run->expectation->does,
			program_names[run->expectation->program], round);
	}
	json_decref(result);
}

static void check_run(const struct run *run)
{
	const char *line = live_out(run->program);
	int rounds = 0, status = live_finish(run->program, RUN_MS);
	for (line = live_out(run->program); *line; line = strchr(line, '\n') + 1)
		check_round(run, line, ++rounds);
	assert_int_equal(rounds, live_rounds(ROUNDS));
	assert_int_equal(status, run->expectation->pass ? 0 : 1);
}

/* Several at a time: most of them wait for most of the time. */
static void each_behaviour_is_reported_by_its_name(void **state)
{
	(void)state;
	struct run runs[EXPECTATIONS] = { 0 };
	size_t begun = 0, over = 0;
	pgbouncer = live_pgbouncer_start(server, NULL);
	for (size_t i = 0; i < EXPECTATIONS; i++)
		runs[i].expectation = &expectations[i];
	while (over < EXPECTATIONS) {
		for (; begun < EXPECTATIONS && begun - over < AT_A_TIME; begun++)
			begin(&runs[begun], begun);
		usleep(20000);
		for (size_t i = 0; i < begun; i++) {
			if (runs[i].over || live_running(runs[i].program))
				continue;
			check_run(&runs[i]);
			live_free(runs[i].program);
			runs[i].over = true;
			over++;
		}
	}
	/* whatever was left was ended; PgBouncer's reserve goes with PgBouncer */
	live_pgbouncer_stop(pgbouncer);
	live_wait_sessions(server, "datname LIKE 'run%'", 0, 20000);
}

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

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The median difference between dbtop's drain time and the server's log, in ms. */
static double measure_drains(void)
{
	enum { MOST = 20 };
	double differences[MOST];
	int rounds = live_rounds(MOST), count = 0;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *repeat = mem_printf("%d", rounds);
	struct live_run run = live_dbtop("--shutdown-test", "--json", "--ready", "2", "--repeat",
		repeat, conninfo, "--", DYING_PATH, conninfo, "closed", NULL);
	CLEANUP(cleanup_free) char *log = live_group_log();
	assert_int_equal(run.status, 0);
	for (const char *line = run.out; *line; line = strchr(line, '\n') + 1) {
		json_t *result = json_loadb(line, strcspn(line, "\n"), 0, NULL);
		assert_non_null(result);
		differences[count++] =
			fabs((double)json_integer_value(live_member(result, "drained_ms")) -
				logged_drain(log, result));
		json_decref(result);
	}
	assert_int_equal(count, rounds);
	live_run_clear(&run);
	qsort(differences, (size_t)count, sizeof(*differences), compare_doubles);
	return differences[count / 2];
}

/* On a machine that is busy with other tests processes wait for their turn: the best of a few
 * medians is what dbtop itself adds. */
static void drains_when_the_server_says_so(void **state)
{
	(void)state;
	double best = measure_drains();
	for (int tries = 0; tries < 3 && best > 20; tries++) {
		double median = measure_drains();
		best = median < best ? median : best;
	}
	print_message("drain time and the server's log: %.1f ms apart\n", best);
	/* the share of rounds tells that all is slow */
	assert_true(best <= (live_rounds(100) < 100 ? 120 : 20));
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

/* One for each behaviour: sessions of the others do not count, and CREATE DATABASE copies files. */
static void make_databases(void)
{
	for (size_t i = 0; i < EXPECTATIONS; i++) {
		CLEANUP(cleanup_free) char *sql = mem_printf("CREATE DATABASE run%zu", i);
		live_sql(server, sql);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(drains_when_the_server_says_so),
		LIVE_TEST(the_phases_of_a_pool_are_reported),
		LIVE_TEST(an_interrupted_test_leaves_nothing),
		LIVE_TEST(no_verdict_is_no_pass),
		LIVE_TEST(hidden_sessions_give_no_verdict),
		LIVE_TEST(the_signal_is_the_one_that_was_asked_for),
		LIVE_TEST(junit_is_well_formed),
		LIVE_TEST(mistakes_are_usage_errors),
		LIVE_TEST(each_behaviour_is_reported_by_its_name),
	};
	return LIVE_GROUP("shutdown", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=100", "log_connections=on",
			"log_disconnections=on", NULL },
		.set_up = make_databases);
}
