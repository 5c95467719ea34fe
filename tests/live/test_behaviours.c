/* --shutdown-test on a real server: each behaviour by a real program in C, Python and shell, judged
 * right each time. A round takes a second or more, most of which is waiting, and many rounds go on
 * at a time; DBTOP_TEST_ROUNDS=1000 runs 500 of each. DBTOP_TEST_ONLY=WORDS runs those whose name
 * contains the words: "shell", "closed by". */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define ROUNDS     50 /* of each */
#define AT_A_TIME  8
#define SLOW       10 /* percent of the rounds: under a tool fewer are run at a time */
#define PYTHON     "/usr/bin/python3"
#define DYING_PY   "tests/live/dying.py"
#define DYING_SH   "tests/live/dying.sh"
#define NEVER_LATE "60"  /* a time that is long enough for whatever ends by itself */
#define SHORT      "0.6" /* … and short enough for what never ends */

enum program { LIBPQ, PSYCOPG2, SHELL, LIBDBPOOL, PGBOUNCER };

/* The verdict that a program must get. */
static const struct expectation {
	enum program program;
	const char *does, *timeout;
	const char *behaviour;
	bool pass;
	int after, status; /* sessions left; exit status, −1 for none */
	bool rolled_back_write;
	bool group; /* SHELL: all get the signal, not the shell alone */
} expectations[] = {
	/* those that run into their timeout come first: they only wait, the others use the
	   processor */
	{ LIBPQ, "never-exited", "4", "never_exited", false, 0, -1, false },
	{ LIBPQ, "hung", "3", "never_exited", false, 2, -1, false },
	{ LIBPQ, "ignored", SHORT, "ignored_signal", false, 2, -1, false },
	{ LIBPQ, "worked-on", "4", "ignored_signal", false, 2, -1, false },
	{ LIBPQ, "child", "4", "child_kept_connection", false, 1, 0, false },
	{ LIBPQ, "child-idle", "4", "child_still_runs", false, 0, 0, false },
	{ LIBPQ, "left-sessions", "4", "left_sessions", false, 1, 0, false },
	{ PSYCOPG2, "never-exited", "4", "never_exited", false, 0, -1, false },
	{ PSYCOPG2, "ignored", "3", "ignored_signal", false, 2, -1, false },
	{ PSYCOPG2, "child", "3", "child_kept_connection", false, 1, 0, false },
	{ PSYCOPG2, "child-idle", "3", "child_still_runs", false, 0, 0, false },
	{ PSYCOPG2, "left-sessions", "3", "left_sessions", false, 1, 0, false },
	{ SHELL, "never-exited", "3", "never_exited", false, 0, -1, false },
	{ SHELL, "ignored", "3", "ignored_signal", false, 2, -1, false },
	{ SHELL, "child", "3", "child_kept_connection", false, 1, 0, false },
	{ SHELL, "child-idle", "3", "child_still_runs", false, 0, 0, false },
	{ SHELL, "left-sessions", "3", "left_sessions", false, 1, 0, false },
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
	{ PSYCOPG2, "lost-writes", NEVER_LATE, "lost_writes", false, 0, 0, false },
	{ SHELL, "closed", NEVER_LATE, "closed", true, 0, 0, false },
	{ SHELL, "reconnected", NEVER_LATE, "reconnected", true, 0, 0, false },
	{ SHELL, "died", NEVER_LATE, "died_unclosed", true, 0, 143, false, .group = true },
	{ SHELL, "lost-write", NEVER_LATE, "died_unclosed", true, 0, 0, true },
	{ SHELL, "lost-writes", NEVER_LATE, "lost_writes", false, 0, 0, false },
	/* behind PgBouncer the sessions are its own: the application's are its two links, and what
	 * it left open in one of those sessions */
	{ PGBOUNCER, "left-busy", "3", "left_sessions", false, 1, 0, false },
	{ PGBOUNCER, "never-exited", "4", "never_exited", false, 0, -1, false },
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
	{ LIBDBPOOL, "flush-late", NEVER_LATE, "lost_writes", false, 0, 130, false },
	{ LIBDBPOOL, "flush-failed", NEVER_LATE, "lost_writes", false, 0, 130, false },
	{ LIBDBPOOL, "died", NEVER_LATE, "died_unclosed", true, 0, 130, false },
};
#define EXPECTATIONS (sizeof(expectations) / sizeof(expectations[0]))

struct run {
	const struct expectation *expectation;
	struct live_program *program; /* NULL: not begun, or over */
	bool over;
	int rounds, wrong, undecided;
};

static struct live_pgbouncer *pgbouncer;
static int server_version; /* major */

static char *conninfo_of(size_t run)
{
	CLEANUP(cleanup_free) char *more = mem_printf("dbname=run%zu", run);
	/* both are used: over TCP a session is found by its port, over a Unix socket by the
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

static const struct {
	const char *name, *interpreter, *path;
	/* TERM is for the shell alone, as docker does it; else INT for all, as a terminal does */
	const char *signal;
} programs[] = {
	[LIBPQ] = { "libpq", NULL, DYING_PATH, "INT" },
	[PSYCOPG2] = { "psycopg2", PYTHON, DYING_PY, "INT" },
	[SHELL] = { "shell", "sh", DYING_SH, "TERM" },
	[LIBDBPOOL] = { "libdbpool", NULL, DYING_POOL_PATH, "INT" },
	[PGBOUNCER] = { "libpq behind PgBouncer", NULL, DYING_PATH, "INT" },
};

/* "closed by shell" */
static char *name_of(const struct expectation *expectation)
{
	return mem_printf("%s by %s", expectation->does, programs[expectation->program].name);
}

static bool is_wanted(const struct expectation *expectation)
{
	const char *only = getenv("DBTOP_TEST_ONLY");
	CLEANUP(cleanup_free) char *name = name_of(expectation);
	return !only || strstr(name, only);
}

static void begin(struct run *run, size_t index)
{
	const struct expectation *expectation = run->expectation;
	CLEANUP(cleanup_free) char *conninfo = conninfo_of(index);
	CLEANUP(cleanup_free) char *application = application_conninfo(expectation, index);
	CLEANUP(cleanup_free)
	char *console =
		live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=admin dbname=pgbouncer");
	CLEANUP(cleanup_free) char *rounds = mem_printf("%d", live_rounds(ROUNDS));
	CLEANUP(cleanup_free) char *folder = mem_printf("TMPDIR=%s", live_folder());
	const char *signal = programs[expectation->program].signal;
	const char *target =
		expectation->program == SHELL && !expectation->group ? "leader" : "group";
	const char *argv[32] = { live_dbtop_path(), "--shutdown-test", "--json", "--ready", "2",
		"--signal", signal, "--target", target, "--timeout", expectation->timeout,
		"--repeat", rounds, conninfo };
	size_t at = 14;
	/* time for a round of PgBouncer's console */
	const char *const pooled[] = { "--pgbouncer", console, "--interval", "0.2", "--after",
		"0.8" },
			  *const direct[] = { "--after", "0.2" };
	bool is_pooled = expectation->program == PGBOUNCER;
	memcpy(argv + at, is_pooled ? pooled : direct, is_pooled ? sizeof(pooled) : sizeof(direct));
	at += is_pooled ? sizeof(pooled) / sizeof(pooled[0]) : sizeof(direct) / sizeof(direct[0]);
	argv[at++] = "--";
	if (programs[expectation->program].interpreter)
		argv[at++] = programs[expectation->program].interpreter;
	argv[at++] = programs[expectation->program].path;
	argv[at++] = application;
	argv[at] = expectation->does;
	const struct live_program_options options = {
		.argv = argv,
		.env = (const char *const[]){ "DYING_POOL=" DYING_POOL_PATH, folder, NULL },
	};
	run->program = live_start(&options);
}

static const char *null_for(const char *text)
{
	return text ? text : "null";
}

/* PostgreSQL 14 counts a session too late for a claim that it was the application's: then it is
 * said that it cannot be told. */
static bool is_left_open(const struct expectation *expected, json_t *result)
{
	return server_version < 15 && strcmp(expected->behaviour, "reconnected") == 0 &&
		strcmp(null_for(live_text(result, "behaviour")), "closed") == 0 &&
		strstr(live_text(result, "text"), "not known whether it opened another one");
}

static bool is_as_expected(const struct expectation *expected, json_t *result)
{
	json_t *status = live_member(result, "exit_status");
	int found_status = json_is_integer(status) ? (int)json_integer_value(status) : -1;
	return (strcmp(null_for(live_text(result, "behaviour")), expected->behaviour) == 0 ||
		       is_left_open(expected, result)) &&
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
		strstr(live_text(result, "text"), "not known whether it closed");
}

/* On a machine that is slow enough PgBouncer's console does not answer in time: that is said, and
 * nothing passes. */
static bool is_undecided(const struct expectation *expected, json_t *result)
{
	return expected->program == PGBOUNCER && expected->pass &&
		strcmp(live_text(result, "verdict"), "none") == 0 &&
		strstr(live_text(result, "text"), "PgBouncer did not say in time");
}

/* On a machine that is slow enough a program does not end within the short time that it has where
 * something of it stays behind: then that is what must be said. */
static bool is_late(const struct expectation *expected, json_t *result)
{
	size_t i;
	json_t *event;
	bool is_over = false, late = false;
	json_array_foreach(live_member(result, "timeline"), i, event)
	{
		is_over |= strcmp(live_text(event, "event"), "timeout") == 0;
		late |= is_over && strcmp(live_text(event, "event"), "process_ended") == 0;
	}
	return late && !expected->pass && strcmp(expected->timeout, NEVER_LATE) != 0 &&
		strcmp(null_for(live_text(result, "behaviour")), "never_exited") == 0;
}

/* What was judged wrong is printed, and does not end the others. */
static void check_round(struct run *run, const char *line)
{
	const struct expectation *expectation = run->expectation;
	json_t *result = json_loadb(line, strcspn(line, "\n"), 0, NULL);
	bool undecided = result && is_undecided(expectation, result);
	bool right = result &&
		(is_late(expectation, result) ||
			(is_as_expected(expectation, result) && is_honest(expectation, result)));
	json_decref(result);
	run->rounds++;
	run->undecided += undecided;
	run->wrong += !right && !undecided;
	if (!right)
		fprintf(stderr, "%s by %s, round %d: %.*s\n", expectation->does,
			programs[expectation->program].name, run->rounds, (int)strcspn(line, "\n"),
			line);
}

static void check_run(struct run *run)
{
	CLEANUP(cleanup_free) char *name = name_of(run->expectation);
	int status = live_finish(run->program, 0), rounds = live_rounds(ROUNDS);
	for (const char *line = live_out(run->program); *line; line = strchr(line, '\n') + 1)
		check_round(run, line);
	int expected = run->undecided ? 3 : run->expectation->pass ? 0 : 1;
	if (run->rounds != rounds || (!run->wrong && status != expected)) {
		fprintf(stderr, "%s: status %d after %d rounds\n%s", name, status, run->rounds,
			live_err(run->program));
		run->wrong++;
	}
	print_message("%s: %d of %d, %d without a verdict\n", name,
		run->rounds - run->wrong - run->undecided, rounds, run->undecided);
	fflush(stdout);
	live_free(run->program);
	run->over = true;
}

/* Several at a time: most of them wait for most of the time. */
static void each_behaviour_is_named(void **state)
{
	(void)state;
	struct run runs[EXPECTATIONS] = { 0 };
	size_t count = 0, begun = 0, over = 0;
	int wrong = 0;
	size_t at_a_time = live_rounds(100) < SLOW ? AT_A_TIME / 2 : AT_A_TIME;
	pgbouncer = live_pgbouncer_start(server, NULL);
	for (size_t i = 0; i < EXPECTATIONS; i++)
		if (is_wanted(&expectations[i]))
			runs[count++].expectation = &expectations[i];
	assert_true(count > 0);
	while (over < count) {
		for (; begun < count && begun - over < at_a_time; begun++)
			begin(&runs[begun], begun);
		usleep(20000);
		for (size_t i = 0; i < begun; i++) {
			if (runs[i].over || live_running(runs[i].program))
				continue;
			check_run(&runs[i]);
			wrong += runs[i].wrong;
			over++;
		}
	}
	assert_int_equal(wrong, 0);
	/* whatever was left was ended; PgBouncer's reserve goes with PgBouncer */
	live_pgbouncer_stop(pgbouncer);
	live_wait_sessions(server, "datname LIKE 'run%'", 0, 20000);
}

/* One for each behaviour: sessions of the others do not count, and CREATE DATABASE copies files. */
static void make_databases(void)
{
	PGconn *conn = live_connect(live_group_conninfo(LIVE_UNIX, NULL));
	server_version = PQserverVersion(conn) / 10000;
	live_disconnect(conn);
	for (size_t i = 0, n = 0; i < EXPECTATIONS; i++) {
		CLEANUP(cleanup_free) char *sql = mem_printf("CREATE DATABASE run%zu", n);
		if (!is_wanted(&expectations[i]))
			continue;
		live_sql(server, sql);
		n++;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { LIVE_TEST(each_behaviour_is_named) };
	return LIVE_GROUP("behaviours", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=100", NULL },
		.set_up = make_databases);
}
