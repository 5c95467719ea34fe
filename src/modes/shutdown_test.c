/* Runs one round after the other:
 *
 *   connecting → starting → waiting → signalled → cleaning → reported
 *
 * A round always ends with cleaning: what is left is ended and listed. */
#include "modes/shutdown_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "action/audit.h"
#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "config/config.h"
#include "loop/handle.h"
#include "loop/signal_watch.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "model/shutdown.h"
#include "modes/app.h"
#include "modes/cleaning.h"
#include "modes/command.h"
#include "modes/engine_run.h"
#include "modes/run.h"
#include "modes/shutdown_options.h"
#include "modes/shutdown_results.h"
#include "session/session.h"
#include "watch/watch.h"

#define SETTLE_MOST (5 * USEC_PER_SEC)

enum step {
	STEP_CONNECTING,
	STEP_WAITING, /* for the command's connections */
	STEP_PREPARING,
	STEP_SIGNALLED,
	STEP_CLEANING,
};

/* Between the scans before the signal. */
#define SCAN_PAUSE (500 * USEC_PER_MSEC)

struct test {
	struct app *app;
	struct run *run;
	struct cleaning *cleaning;
	struct shutdown_options wanted;
	struct shutdown_results *results;
	struct engine_run *engine; /* the command starts a container; NULL: it does not */

	enum step step;
	uv_timer_t *timer;             /* of the current step */
	struct signal_watch *children; /* SIGCHLD */
	int interrupted;               /* the signal that came; 0: none */

	/* the current round */
	long round;
	struct command child;
	struct watch *watch;
	int64_t began_at, ready_at, scanned_at; /* monotonic */
	struct arena *round_arena;
	struct shutdown_verdict verdict;
};

static void begin_round(struct test *test);
static void clean(struct test *test);

static void set_timer(struct test *test, uv_timer_cb on_timer, int64_t usec)
{
	uv_timer_start(test->timer, on_timer, (uint64_t)(usec / USEC_PER_MSEC), 0);
}

/* Waits for the children that have ended: the command, and its orphans, which are our children now.
 */
static void reap(struct test *test)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		command_note_reaped(&test->child, pid, status);
		if (test->watch)
			watch_reaped(test->watch, pid, status);
	}
}

static const char *describe_end(const struct test *test)
{
	int status = test->child.status;
	return WIFSIGNALED(status)
		? arena_printf(test->round_arena, "it was ended by SIG%s",
			  shutdown_signal_name(WTERMSIG(status)))
		: arena_printf(test->round_arena, "it ended with status %d", WEXITSTATUS(status));
}

static void give_up(struct test *test, const char *why)
{
	struct shutdown_record *record = watch_record(test->watch);
	record->blind = arena_strdup(record->arena, why);
	clean(test);
}

/* A command that ended by itself gets no verdict, unless that is what the test waits for. Waits for
 * children first: if the command has ended by now, our signal did not end it. */
static bool gave_up_on_ended(struct test *test)
{
	reap(test);
	if (!test->child.reaped || (!test->wanted.signal_number && test->step != STEP_WAITING))
		return false;
	give_up(test,
		arena_printf(test->round_arena, "%s before it was %s", describe_end(test),
			test->wanted.signal_number ? "signalled" : "ready"));
	return true;
}

/* Its sockets to the server for which no session was found, as behind a process that forwards. */
static int count_unmatched(const struct test *test)
{
	const struct shutdown_record *record = watch_record(test->watch);
	int count = 0;
	for (size_t i = 0; i < record->n_sockets; i++) {
		const struct shutdown_socket *socket = &record->sockets[i];
		count += socket->open && socket->established && !socket->taken;
	}
	return count;
}

/* Why the container that the command starts could not be followed; "" if it could. */
static const char *describe_missing_container(const struct test *test)
{
	const struct shutdown_record *record = watch_record(test->watch);
	if (!test->engine || record->container_seen)
		return "";
	if (!record->container[0])
		return arena_printf(test->round_arena, "; no container's id appeared in %s",
			engine_run_id_file(test->engine));
	return arena_printf(test->round_arena, "; no process of its container %s is visible here",
		record->container);
}

static void on_late(uv_timer_t *timer)
{
	struct test *test = timer->data;
	int held = watch_count(test->watch), unmatched = count_unmatched(test);
	const char *others = !unmatched
		? ""
		: arena_printf(test->round_arena,
			  "; it has %d more, whose sessions cannot be told from others'",
			  unmatched);
	give_up(test,
		arena_printf(test->round_arena,
			"it held %d connection%s to the server, and not the %ld it was to hold%s%s",
			held, plural_s(held), test->wanted.ready, others,
			describe_missing_container(test)));
}

static bool is_ready(const struct test *test)
{
	return watch_count(test->watch) >= test->wanted.ready;
}

static void on_after(uv_timer_t *timer)
{
	struct test *test = timer->data;
	watch_prepare(test->watch);
}

/* It may be ready, or not any more: the signal is sent only while it is. */
static void wait_until_ready(struct test *test)
{
	int64_t left = test->began_at + test->wanted.ready_timeout - instant_monotonic();
	test->step = STEP_WAITING;
	set_timer(test, on_late, left > 0 ? left : 0);
}

/* The command has not begun to end within the time that it has. */
static void on_expired(uv_timer_t *timer)
{
	struct test *test = timer->data;
	watch_expire(test->watch, test->ready_at);
}

/* Waits for the command to end by itself. */
static void wait_for_end(struct test *test)
{
	test->step = STEP_SIGNALLED;
	if (!test->wanted.unlimited)
		set_timer(test, on_expired,
			test->ready_at + test->wanted.timeout - instant_monotonic());
}

static void on_prepared(void *data)
{
	struct test *test = data;
	if (gave_up_on_ended(test))
		return;
	if (!test->wanted.signal_number) {
		wait_for_end(test);
		return;
	}
	if (!is_ready(test)) {
		wait_until_ready(test);
		return;
	}
	test->step = STEP_SIGNALLED;
	/* record the signal before sending it: no process may end by it before it is recorded */
	watch_signalled(test->watch);
	int r = command_signal(&test->child, test->wanted.signal_number, test->wanted.alone);
	if (r < 0)
		give_up(test,
			arena_printf(
				test->round_arena, "it cannot be signalled: %s", strerror(-r)));
}

static void on_changed(void *data)
{
	struct test *test = data;
	if (test->step != STEP_WAITING && test->step != STEP_PREPARING) {
		reap(test);
		return;
	}
	if (gave_up_on_ended(test))
		return;
	if (watch_record(test->watch)->blind)
		clean(test);
	else if (test->step == STEP_WAITING && is_ready(test)) {
		test->step = STEP_PREPARING;
		test->ready_at = instant_monotonic();
		set_timer(test, on_after, test->wanted.after);
	}
}

static void on_complete(void *data)
{
	clean(data);
}

static int64_t since(int64_t instant)
{
	return instant_monotonic() - instant;
}

static void judge(struct test *test)
{
	reap(test);
	test->verdict = shutdown_judge(watch_record(test->watch), &test->wanted.rules,
		instant_monotonic(), test->round_arena);
}

static void end_round(struct test *test)
{
	watch_free(test->watch);
	test->watch = NULL;
	arena_free(test->round_arena);
	test->round_arena = NULL;
}

static void on_cleaned(void *data)
{
	struct test *test = data;
	reap(test);
	if (test->interrupted) {
		shutdown_results_name_survivors(watch_record(test->watch));
		end_round(test);
		run_finish_by_signal(test->run, test->interrupted);
		return;
	}
	shutdown_results_add(
		test->results, watch_record(test->watch), &test->verdict, since(test->began_at));
	end_round(test);
	if (test->round < test->wanted.rounds)
		begin_round(test);
	else
		run_finish(test->run, shutdown_results_status(test->results));
}

/* Judges before it ends anything: what dbtop ends must not count as the application's behaviour. */
static void clean(struct test *test)
{
	uv_timer_stop(test->timer);
	if (test->step == STEP_CLEANING)
		return;
	test->step = STEP_CLEANING;
	judge(test);
	cleaning_run(test->cleaning, test->watch);
}

static int64_t settle_time(const struct test *test)
{
	return test->wanted.timeout / 2 < SETTLE_MOST ? test->wanted.timeout / 2 : SETTLE_MOST;
}

static void begin_round(struct test *test)
{
	test->round++;
	test->round_arena = arena_new();
	test->began_at = instant_monotonic();
	char *const *argv =
		test->engine ? engine_run_begin(test->engine) : test->app->options.command;
	int r = command_start(argv, &test->child);
	if (r < 0) {
		fprintf(stderr, "dbtop: --shutdown-test: %s: %s\n",
			shutdown_results_program(test->results), strerror(-r));
		arena_free(test->round_arena);
		test->round_arena = NULL;
		run_finish(test->run, EXIT_USAGE);
		return;
	}
	const struct watch_options options = {
		.pid = test->child.pid,
		.start_ticks = test->child.start_ticks,
		.own = true,
		.container_file = test->engine ? engine_run_id_file(test->engine) : NULL,
		.alone = test->wanted.alone,
		.signal_number = test->wanted.signal_number,
		.timeout = test->wanted.timeout,
		.settle = settle_time(test),
		.data = test,
		.changed = on_changed,
		.prepared = on_prepared,
		.complete = on_complete,
	};
	test->watch = watch_new(&test->app->loop, run_target(test->run), &options);
	wait_until_ready(test);
}

/* Without the server's rows nothing is started: the test has one result, without a verdict. */
static void fail_to_begin(struct test *test)
{
	char why[FINDINGS_TEXT_MAX];
	struct shutdown_record record;
	shutdown_record_init(&record);
	record.signal_number = test->wanted.signal_number;
	record.blind = findings_describe_blindness(
		target_assessment(run_target(test->run)), CERTAINTY_NONE, why);
	const struct shutdown_verdict verdict =
		shutdown_judge(&record, &test->wanted.rules, instant_monotonic(), record.arena);
	shutdown_results_add(test->results, &record, &verdict, 0);
	shutdown_record_deinit(&record);
	run_finish(test->run, shutdown_results_status(test->results));
}

/* The test needs a connection: a full server may let us in later, others will not. */
static bool is_enough(const struct run *run, size_t server)
{
	const struct assessment *assessment = run_assessment(run, server);
	switch (assessment->server.status) {
	case SERVER_OK:
		return assessment->activity ||
			assessment->sources[SOURCE_ACTIVITY].status == SOURCE_FAILED;
	case SERVER_DENIED:
	case SERVER_REFUSED: return true;
	default: return false;
	}
}

static void on_begun(void *data, size_t server)
{
	(void)server;
	struct test *test = data;
	const struct assessment *assessment = target_assessment(run_target(test->run));
	if (assessment->server.status == SERVER_OK && assessment->activity)
		begin_round(test);
	else
		fail_to_begin(test);
}

/* A session that comes through a forwarder is matched with the command by scans alone: the
 * command's own sockets do not lead to the server. One scan may miss it, for instance while a
 * network namespace ends, so the scans go on until the signal is sent. */
static void scan_before_signal(struct test *test)
{
	int64_t now = instant_monotonic();
	if (shutdown_has_begun(watch_record(test->watch)) || now - test->scanned_at < SCAN_PAUSE)
		return;
	test->scanned_at = now;
	target_scan(run_target(test->run));
}

static void on_assessed(void *data, size_t server)
{
	(void)server;
	struct test *test = data;
	if (!test->watch)
		return;
	watch_assessed(test->watch);
	scan_before_signal(test);
	cleaning_assessed(test->cleaning);
}

/* Ctrl+C ends what was started; a second Ctrl+C does not wait for that. */
static void on_received(void *data, int signal_number)
{
	struct test *test = data;
	bool again = test->interrupted != 0;
	test->interrupted = signal_number;
	if (again || !test->watch)
		run_finish_by_signal(test->run, signal_number);
	else
		clean(test);
}

static void on_child(void *data, int signal_number)
{
	(void)signal_number;
	reap(data);
}

static void open_test(struct test *test)
{
	static const int child = SIGCHLD;
	struct app *app = test->app;
	const struct cleaning_callbacks callbacks = { .data = test, .cleaned = on_cleaned };
	test->cleaning =
		cleaning_new(&app->loop, run_target(test->run), run_audit(test->run), &callbacks);
	test->timer = handle_new_timer(&app->loop, test);
	test->children = signal_watch_new(
		&app->loop, &child, 1, &(struct signal_watch_callbacks){ test, on_child });
	/* the command's orphans become our children */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void close_test(void *data)
{
	struct test *test = data;
	handle_close(test->timer);
	signal_watch_free(test->children);
	if (test->watch)
		end_round(test);
	cleaning_free(test->cleaning);
	shutdown_results_free(test->results);
	engine_run_free(test->engine);
}

int shutdown_test_run(struct app *app)
{
	struct test test = { .app = app };
	struct run_options options = {
		.target = app_target_options(app),
		.data = &test,
		.is_enough = is_enough,
		.more_time = RUN_MORE_TIME,
		.begun = on_begun,
		.assessed = on_assessed,
		.received = on_received,
	};
	/* with a PgBouncer, scans of processes are needed to find the application's sessions */
	options.target.scan_on_demand = app->n_consoles == 0;
	if (!app_has_one_server(app, "--shutdown-test"))
		return EXIT_USAGE;
	if (shutdown_options_read(&app->options, app->config->readonly, &test.wanted) < 0)
		return EXIT_USAGE;
	test.results = shutdown_results_new(&app->options, &test.wanted);
	if (!test.results)
		return EXIT_USAGE;
	test.engine = engine_run_new(app->options.command);
	test.run = run_open(app, &options);
	open_test(&test);
	return run_to_end(test.run, close_test);
}
