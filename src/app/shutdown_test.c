/* One round after the other:
 *
 *   connecting → starting → waiting → signalled → cleaning → reported
 *
 * Whatever happens, a round ends by cleaning: what is still there is ended and named. */
#include "app/shutdown_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "action/audit.h"
#include "analyze/shutdown.h"
#include "app/app.h"
#include "app/cleaning.h"
#include "app/command.h"
#include "app/connect.h"
#include "app/watch.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "model/assessment.h"
#include "model/shutdown.h"
#include "report/shutdown.h"
#include "session/session.h"

#define TIMEOUT_DEFAULT (10 * USEC_PER_SEC)
#define SETTLE_MOST     (5 * USEC_PER_SEC)

/* A command that starts slowly on a busy machine is no fault of its shutdown. */
#define READY_LEAST (60 * USEC_PER_SEC)

/* A server that has not answered by then does not. */
#define PATIENCE_MS 15000

enum step {
	STEP_CONNECTING,
	STEP_WAITING, /* for its connections */
	STEP_PREPARING,
	STEP_SIGNALLED,
	STEP_CLEANING,
};

struct test {
	struct app *app;
	struct target *target;
	struct audit *audit;
	struct cleaning *cleaning;
	struct arena *arena;  /* of the run */
	const char **command; /* clean, for the reports */
	int signal_number;
	int64_t after, timeout;
	long ready, rounds;

	enum step step;
	bool asked_password;
	uv_timer_t *timer; /* of the step */
	uv_signal_t *signals[4];
	int interrupted; /* the signal; 0 */

	/* the round */
	long round;
	struct command child;
	bool reaped;
	int child_status;
	struct watch *watch;
	int64_t began_at;
	struct arena *round_arena;
	struct shutdown_verdict verdict;

	/* all rounds */
	bool failed, undecided;
	int status; /* of usage; −1 */
	FILE *cases;
	char *cases_text;
	size_t cases_size;
	struct shutdown_tally tally;
};

static void begin_round(struct test *test);
static void clean(struct test *test);

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void finish(struct test *test, int status)
{
	test->status = status;
	uv_stop(&test->app->loop);
}

static void set_timer(struct test *test, uv_timer_cb on_timer, int64_t usec)
{
	uv_timer_start(test->timer, on_timer, (uint64_t)(usec / USEC_PER_MSEC), 0);
}

/* Waits for the children that ended: the command, and orphans of its that are ours now. */
static void reap(struct test *test)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == test->child.pid) {
			test->reaped = true;
			test->child_status = status;
		}
		if (test->watch)
			watch_reaped(test->watch, pid, status);
	}
}

static const char *describe_end(const struct test *test)
{
	int status = test->child_status;
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

static void on_late(uv_timer_t *timer)
{
	struct test *test = timer->data;
	give_up(test,
		arena_printf(test->round_arena,
			"it held %d connection%s to the server, and not the %ld it was to hold",
			watch_count(test->watch), watch_count(test->watch) == 1 ? "" : "s",
			test->ready));
}

static void on_ready(uv_timer_t *timer)
{
	struct test *test = timer->data;
	test->step = STEP_PREPARING;
	watch_prepare(test->watch);
}

static void on_prepared(void *data)
{
	struct test *test = data;
	test->step = STEP_SIGNALLED;
	/* first the note: what ends by it must not end before it */
	watch_signalled(test->watch);
	command_signal(&test->child, test->signal_number);
}

static void on_changed(void *data)
{
	struct test *test = data;
	reap(test);
	if (test->step != STEP_WAITING && test->step != STEP_PREPARING)
		return;
	if (test->reaped)
		give_up(test,
			arena_printf(test->round_arena, "%s before it was signalled",
				describe_end(test)));
	else if (watch_record(test->watch)->blind)
		clean(test);
	else if (test->step == STEP_WAITING && watch_count(test->watch) >= test->ready) {
		test->step = STEP_PREPARING;
		set_timer(test, on_ready, test->after);
	}
}

static void on_settled(void *data)
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
	test->verdict = shutdown_judge(watch_record(test->watch), test->app->options.strict,
		instant_monotonic(), test->round_arena);
	test->failed |= test->verdict.behaviour != BEHAVIOUR_NONE && !test->verdict.pass;
	test->undecided |= test->verdict.behaviour == BEHAVIOUR_NONE;
}

/* A reader that left does not change what was found. */
static void check_written(int r)
{
	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "dbtop: cannot write: %s\n", strerror(-r));
}

static void report(struct test *test)
{
	const struct shutdown_report shutdown_report = {
		.command = test->command,
		.record = watch_record(test->watch),
		.verdict = &test->verdict,
		.strict = test->app->options.strict,
		.round = test->round,
		.rounds = test->rounds,
		.duration = since(test->began_at),
	};
	const struct printer_style style = printer_style_for(stdout);
	if (test->app->options.json)
		check_written(shutdown_print_json(&shutdown_report, stdout));
	else
		check_written(shutdown_print_text(&shutdown_report, &style, stdout));
	if (test->cases)
		shutdown_print_junit_case(&shutdown_report, &test->tally, test->cases);
}

static void end_round(struct test *test)
{
	watch_free(test->watch);
	test->watch = NULL;
	arena_free(test->round_arena);
	test->round_arena = NULL;
}

static void name_survivors(const struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_survivors; i++) {
		const struct shutdown_survivor *survivor = &record->survivors[i];
		fprintf(stderr, "dbtop: %s %d (%s): %s\n",
			survivor->session ? "backend" : "process", survivor->pid, survivor->what,
			survivor->result);
	}
}

static void on_cleaned(void *data)
{
	struct test *test = data;
	reap(test);
	if (test->interrupted) {
		name_survivors(watch_record(test->watch));
		end_round(test);
		finish(test, 128 + test->interrupted);
		return;
	}
	report(test);
	end_round(test);
	if (test->round < test->rounds)
		begin_round(test);
	else
		finish(test,
			test->failed              ? EXIT_LEAKS
				: test->undecided ? EXIT_UNKNOWN
						  : EXIT_CLEAN);
}

/* The verdict first: what is ended from here on is not the application's doing. */
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
	return test->timeout / 2 < SETTLE_MOST ? test->timeout / 2 : SETTLE_MOST;
}

static void begin_round(struct test *test)
{
	test->round++;
	test->round_arena = arena_new();
	test->reaped = false;
	test->began_at = instant_monotonic();
	int r = command_start(test->app->options.command, &test->child);
	if (r < 0) {
		fprintf(stderr, "dbtop: --shutdown-test: %s: %s\n", test->command[0], strerror(-r));
		arena_free(test->round_arena);
		test->round_arena = NULL;
		finish(test, EXIT_USAGE);
		return;
	}
	const struct watch_options options = {
		.pid = test->child.pid,
		.start_ticks = test->child.start_ticks,
		.own = true,
		.signal_number = test->signal_number,
		.timeout = test->timeout,
		.settle = settle_time(test),
		.data = test,
		.changed = on_changed,
		.prepared = on_prepared,
		.settled = on_settled,
	};
	test->step = STEP_WAITING;
	test->watch = watch_new(&test->app->loop, test->target, &options);
	set_timer(test, on_late, test->timeout > READY_LEAST ? test->timeout : READY_LEAST);
}

static void ask_password(struct test *test)
{
	struct session *session = target_session(test->target);
	test->asked_password = true;
	char *password = connect_ask_password(session_state(session)->user);
	if (!password)
		return;
	session_set_password(session, password);
	explicit_bzero(password, strlen(password));
	free(password);
}

static void fail_to_connect(struct test *test)
{
	const struct server_state *server = &target_assessment(test->target)->server;
	fprintf(stderr, "dbtop: --shutdown-test: cannot tell: the server is not reachable%s%s\n",
		server->error ? ": " : "", server->error ? server->error : "");
	finish(test, EXIT_UNKNOWN);
}

static void on_patience(uv_timer_t *timer)
{
	fail_to_connect(timer->data);
}

static void on_assessed(void *data)
{
	struct test *test = data;
	const struct assessment *assessment = target_assessment(test->target);
	app_log_state(test->app, assessment);
	if (test->watch) {
		watch_assessed(test->watch);
		cleaning_assessed(test->cleaning);
		return;
	}
	if (test->step != STEP_CONNECTING)
		return;
	if (session_needs_password(target_session(test->target)) && !test->asked_password &&
		!test->app->options.never_password)
		ask_password(test);
	else if (assessment->server.status == SERVER_OK && assessment->activity) {
		uv_timer_stop(test->timer);
		begin_round(test);
	} else if (assessment->server.status == SERVER_DENIED ||
		assessment->server.status == SERVER_REFUSED) {
		fail_to_connect(test);
	}
}

/* Ctrl+C: what was started is ended. A second one does not wait for that. */
static void on_signal(uv_signal_t *handle, int signal_number)
{
	struct test *test = handle->data;
	if (signal_number == SIGCHLD) {
		reap(test);
		return;
	}
	bool again = test->interrupted != 0;
	test->interrupted = signal_number;
	if (again || !test->watch)
		finish(test, 128 + signal_number);
	else
		clean(test);
}

static void watch_signals(struct test *test)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		test->signals[i] = mem_alloc(sizeof(uv_signal_t));
		uv_signal_init(&test->app->loop, test->signals[i]);
		test->signals[i]->data = test;
		uv_signal_start(test->signals[i], on_signal, numbers[i]);
	}
}

static int read_duration(const char *text, const char *name, int64_t *ret)
{
	if (!text || duration_parse(text, ret) == 0)
		return 0;
	fprintf(stderr,
		"dbtop: --%s: expected a number of seconds, found \"%s\"\nTry 'dbtop --help'.\n",
		name, text);
	return -EINVAL;
}

static int read_options(struct test *test)
{
	const struct options *options = &test->app->options;
	test->signal_number = shutdown_signal_parse(options->signal ? options->signal : "INT");
	if (!test->signal_number) {
		fprintf(stderr,
			"dbtop: --signal: expected INT, TERM, HUP, QUIT, KILL, … or a number, "
			"found \"%s\"\n",
			options->signal);
		return -EINVAL;
	}
	test->timeout = TIMEOUT_DEFAULT;
	test->ready = options->ready ? options->ready : 1;
	test->rounds = options->repeat ? options->repeat : 1;
	int r = read_duration(options->after, "after", &test->after);
	if (r == 0)
		r = read_duration(options->timeout, "timeout", &test->timeout);
	if (r == 0 && test->timeout == 0) {
		fputs("dbtop: --timeout: it takes some time to end\n", stderr);
		return -EINVAL;
	}
	if (r == 0 && test->app->config->readonly) {
		fputs("dbtop: read-only: --shutdown-test ends what is left, and cannot\n", stderr);
		return -EPERM;
	}
	return r;
}

/* What argv holds, made harmless. */
static void copy_command(struct test *test)
{
	char **command = test->app->options.command;
	size_t count = 0;
	while (command[count])
		count++;
	test->command = arena_array(test->arena, count + 1, sizeof(*test->command));
	for (size_t i = 0; i < count; i++)
		test->command[i] =
			text_clean(test->arena, command[i], strlen(command[i]), TEXT_BLOCK);
}

/* Opened before anything is started: a file that cannot be written is a mistake of usage. */
static FILE *open_junit(const char *path)
{
	FILE *file = fopen(path, "we");
	if (!file)
		fprintf(stderr, "dbtop: --junit: %s: %s\n", path, strerror(errno));
	return file;
}

static void open_test(struct test *test)
{
	struct app *app = test->app;
	struct target_options options = app_target_options(app);
	options.data = test;
	options.assessed = on_assessed;
	/* whose PgBouncer's sessions are is told by what the processes hold */
	options.calm = app->n_consoles == 0;
	test->target = target_new(&app->loop, &options);
	CLEANUP(cleanup_free) char *path = audit_default_path();
	test->audit = audit_new(path);
	const struct cleaning_callbacks callbacks = { .data = test, .cleaned = on_cleaned };
	test->cleaning = cleaning_new(&app->loop, test->target, test->audit, &callbacks);
	test->timer = mem_alloc(sizeof(*test->timer));
	uv_timer_init(&app->loop, test->timer);
	test->timer->data = test;
	set_timer(test, on_patience, PATIENCE_MS * USEC_PER_MSEC);
	watch_signals(test);
	/* orphans of the command's stay within reach */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void close_test(struct test *test)
{
	uv_close((uv_handle_t *)test->timer, free_handle);
	for (size_t i = 0; i < sizeof(test->signals) / sizeof(test->signals[0]); i++)
		uv_close((uv_handle_t *)test->signals[i], free_handle);
	if (test->watch)
		end_round(test);
	cleaning_free(test->cleaning);
	target_free(test->target);
	audit_free(test->audit);
}

static void write_junit(struct test *test, FILE *file)
{
	if (!file)
		return;
	fclose(test->cases);
	check_written(shutdown_print_junit(&test->tally, test->cases_text, file));
	fclose(file);
	free(test->cases_text);
}

int shutdown_test_run(struct app *app)
{
	struct test test = { .app = app, .status = EXIT_UNKNOWN };
	FILE *junit = NULL;
	if (read_options(&test) < 0)
		return EXIT_USAGE;
	if (app->options.junit && !(junit = open_junit(app->options.junit)))
		return EXIT_USAGE;
	if (junit)
		test.cases = open_memstream(&test.cases_text, &test.cases_size);
	if (junit && !test.cases)
		abort();
	test.arena = arena_new();
	copy_command(&test);
	open_test(&test);
	target_start(test.target);
	uv_run(&app->loop, UV_RUN_DEFAULT);
	close_test(&test);
	write_junit(&test, junit);
	arena_free(test.arena);
	return test.status;
}
