/* Reports one complete assessment, or one after the other; or carries out a plan. The exit status
 * shows the outcome. */
#include "modes/headless.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/audit.h"
#include "action/execute.h"
#include "action/guard.h"
#include "action/lock_impact.h"
#include "action/plan.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "config/config.h"
#include "loop/handle.h"
#include "loop/signal_watch.h"
#include "model/action.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/connect.h"
#include "modes/emergency_mode.h"
#include "modes/prompt.h"
#include "report/exit_status.h"
#include "report/result.h"
#include "report/snapshot.h"
#include "report/summary.h"
#include "session/session.h"

/* If the server has not answered within this time, its state is reported as it is. */
#define TIMEOUT_MS 15000
/* The additional time while the first connection attempts are still running. */
#define TIMEOUT_MORE_MS 5000

/* How long to wait for the sessions' locks: they are useful to know before a kill, but not
 * necessary. */
#define LOCK_IMPACT_TIMEOUT_MS 2000

struct headless {
	struct app *app;
	struct target *target;
	struct executor *executor;
	struct lock_impact *lock_impact;
	struct audit *audit;
	struct action *plan;              /* the current plan; NULL before */
	struct emergency_mode *emergency; /* NULL in the other modes */
	uv_timer_t *timeout, *pace;
	struct signal_watch *signals;
	long printed;
	bool asked_password;
	bool interrupted; /* a signal interrupted a question: it is in the loop, and ends dbtop */
	int status;
};

static void finish(struct headless *headless, int status)
{
	headless->status = status;
	uv_stop(&headless->app->loop);
}

static int print_summary(
	const struct headless *headless, const struct assessment *assessment, FILE *file)
{
	const struct summary_options summary = {
		.style = printer_style_for(file),
		.no_query_text = headless->app->options.no_query_text,
	};
	return summary_print(assessment, &summary, file);
}

/* Returns r, after an error message. A reader that has closed the pipe (head) is not an error. */
static int check_written(int r)
{
	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "dbtop: cannot write: %s\n", strerror(-r));
	return r;
}

static int print_snapshot(struct headless *headless, const struct assessment *assessment)
{
	const struct options *options = &headless->app->options;
	if (options->mode != MODE_JSON)
		return check_written(print_summary(headless, assessment, stdout));
	const struct snapshot_options snapshot = { .no_query_text = options->no_query_text };
	return check_written(snapshot_print(assessment, &snapshot, stdout));
}

static void on_pace(uv_timer_t *timer);

/* Prints the next line of --count and --follow; the sources are asked independently of that. */
static void report_snapshot(struct headless *headless)
{
	const struct options *options = &headless->app->options;
	const struct assessment *assessment = target_assessment(headless->target);
	int r = print_snapshot(headless, assessment);
	headless->status = r < 0 ? EXIT_UNKNOWN : exit_status_of_snapshot(assessment);
	headless->printed++;
	bool more = options->follow || headless->printed < options->count;
	if (r < 0 || !more) {
		uv_stop(&headless->app->loop);
		return;
	}
	uint64_t ms = (uint64_t)(headless->app->config->interval / USEC_PER_MSEC);
	if (!uv_is_active((uv_handle_t *)headless->pace))
		uv_timer_start(headless->pace, on_pace, ms, ms);
}

static void on_pace(uv_timer_t *timer)
{
	report_snapshot(timer->data);
}

enum consent { CONSENT_YES, CONSENT_NO, CONSENT_INTERRUPTED };

/* Only "y" and "yes" are consent. */
static enum consent ask(const struct action *plan)
{
	CLEANUP(cleanup_free) char *answer = NULL;
	CLEANUP(cleanup_free)
	char *question = mem_printf("End %zu connection%s? [y/N] ", plan_count_selected(plan),
		plural_s(plan_count_selected(plan)));
	enum prompt_outcome outcome = prompt_ask(question, &answer);
	if (outcome == PROMPT_INTERRUPTED)
		return CONSENT_INTERRUPTED;
	bool yes = answer && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
	return yes ? CONSENT_YES : CONSENT_NO;
}

static void print_plan(const struct headless *headless, FILE *file)
{
	const struct printer_style style = printer_style_for(file);
	check_written(result_print_plan(headless->plan, &style, file));
}

/* A reader that has closed the pipe does not change the exit status: the actions are done. */
static void print_result(const struct headless *headless)
{
	const struct printer_style style = printer_style_for(stdout);
	if (headless->app->options.json)
		check_written(result_print_json(headless->plan, false, stdout));
	else
		check_written(result_print_text(headless->plan, &style, stdout));
}

static void print_done(const struct headless *headless)
{
	const char *error = audit_error(headless->audit);
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	print_result(headless);
}

static void on_done(void *data)
{
	struct headless *headless = data;
	print_done(headless);
	finish(headless,
		exit_status_of_result(headless->plan, target_assessment(headless->target)));
}

static enum consent get_consent(const struct headless *headless)
{
	const struct options *options = &headless->app->options;
	const struct guard_limits limits = {
		.readonly = headless->app->config->readonly,
		.pooler = session_is_pooled(target_session(headless->target)),
		.per_minute = headless->app->config->kill_limit,
	};
	const struct guard_history history = { 0 };
	struct guard_answer answer =
		guard_check(headless->plan, &limits, &history, instant_monotonic());
	if (answer.verdict == GUARD_REFUSE || (answer.verdict == GUARD_CONFIRM && !options->yes))
		fprintf(stderr, "dbtop: %s\n", answer.why);
	if (answer.verdict == GUARD_REFUSE)
		return CONSENT_NO;
	return options->yes ? CONSENT_YES : ask(headless->plan);
}

/* The plan is complete: show it, ask, carry it out. */
static void go_on(struct headless *headless)
{
	const struct options *options = &headless->app->options;
	uv_timer_stop(headless->timeout);
	lock_impact_forget(headless->lock_impact);
	if (options->dry_run || headless->plan->n_steps == 0) {
		if (options->json)
			check_written(result_print_json(headless->plan, options->dry_run, stdout));
		else
			print_plan(headless, stdout);
		finish(headless,
			exit_status_of_plan(headless->plan, target_assessment(headless->target)));
		return;
	}
	/* show the plan before the question */
	if (!options->yes)
		print_plan(headless, stderr);
	enum consent consent = get_consent(headless);
	if (consent == CONSENT_NO) {
		fputs("dbtop: nothing was ended\n", stderr);
		finish(headless, EXIT_LEAKS);
	}
	/* after an interrupted question, the loop handles the signal next */
	if (consent != CONSENT_YES)
		return;
	int r = execute_run(headless->executor, headless->plan);
	if (r == -EIO)
		fprintf(stderr, "dbtop: %s: nothing was ended\n", audit_error(headless->audit));
	if (r < 0)
		finish(headless, r == -EIO ? EXIT_UNKNOWN : EXIT_LEAKS);
}

static void on_lock_impact(void *data)
{
	go_on(data);
}

static void on_no_lock_impact(uv_timer_t *timer)
{
	go_on(timer->data);
}

static void kill_leaked(struct headless *headless)
{
	const struct options *options = &headless->app->options;
	const struct assessment *assessment = target_assessment(headless->target);
	headless->plan = plan_kill_leaked(
		assessment, options->proven_only ? CERTAINTY_PROVEN : CERTAINTY_PRESUMED);
	if (assessment->server.status != SERVER_OK) {
		/* nothing can be ended: print the reason for people, and an empty result for
		 * scripts */
		check_written(print_summary(headless, assessment, stderr));
		if (options->json)
			print_result(headless);
		finish(headless, EXIT_UNKNOWN);
		return;
	}
	if (assessment->server.pooler) {
		headless->plan->n_steps = 0;
		fputs("dbtop: " POOLER_REASON "\n", stderr);
		if (options->json)
			print_result(headless);
		finish(headless, EXIT_UNKNOWN);
		return;
	}
	if (lock_impact_ask(headless->lock_impact, headless->plan))
		uv_timer_start(headless->timeout, on_no_lock_impact, LOCK_IMPACT_TIMEOUT_MS, 0);
	else
		go_on(headless);
}

static void begin(struct headless *headless)
{
	uv_timer_stop(headless->timeout);
	if (headless->emergency)
		emergency_mode_begin(headless->emergency);
	else if (headless->app->options.mode == MODE_KILL_LEAKED)
		kill_leaked(headless);
	else
		report_snapshot(headless);
}

/* True if no complete assessment can be expected, because there is no connection: then the sockets
 * are the only source, if there is any. */
static bool is_hopeless(const struct headless *headless, const struct assessment *assessment)
{
	struct peers_target where;
	switch (assessment->server.status) {
	case SERVER_CONNECTING:
	case SERVER_OK:
	case SERVER_STALE: return false;
	default: break;
	}
	if (target_awaits_proxy(headless->target))
		return false;
	session_locate(target_session(headless->target), &where);
	return assessment->peers || where.server.family == 0;
}

/* True if there is something to wait for: the server's answer, or the signal that interrupted the
 * question and is in the loop. */
static bool ask_password(struct headless *headless)
{
	struct session *session = target_session(headless->target);
	if (headless->interrupted)
		return true;
	if (!session_needs_password(session) || headless->asked_password ||
		headless->app->options.never_password)
		return false;
	headless->asked_password = true;
	char *password = NULL;
	enum prompt_outcome outcome = prompt_password(session_state(session)->user, &password);
	if (outcome != PROMPT_ANSWERED)
		return headless->interrupted = outcome == PROMPT_INTERRUPTED;
	session_set_password(session, password);
	explicit_bzero(password, strlen(password));
	free(password);
	return true;
}

static void on_assessed(void *data)
{
	struct headless *headless = data;
	const struct assessment *assessment = target_assessment(headless->target);
	app_log_state(headless->app, assessment);
	if (headless->emergency)
		emergency_mode_assessed(headless->emergency);
	if (headless->plan || headless->printed || ask_password(headless))
		return;
	if (assessment->complete || is_hopeless(headless, assessment))
		begin(headless);
}

static void on_timeout(uv_timer_t *timer)
{
	struct headless *headless = timer->data;
	/* the loop runs timers before signals */
	if (headless->interrupted)
		return;
	/* an emergency does not wait: it works without a connection */
	if (!headless->emergency && connect_is_under_way(target_session(headless->target)))
		uv_timer_start(headless->timeout, on_timeout, TIMEOUT_MORE_MS, 0);
	else
		begin(headless);
}

/* Ctrl+C ends --count and --follow; during a kill, the results so far are printed. */
static void on_interrupt(void *data, int signal_number)
{
	struct headless *headless = data;
	if (headless->emergency) {
		finish(headless,
			emergency_mode_interrupt(headless->emergency, 128 + signal_number));
	} else if (execute_busy(headless->executor)) {
		execute_interrupt(headless->executor);
		print_done(headless);
		finish(headless, EXIT_LEAKS);
	} else if (headless->plan) {
		fputs("dbtop: nothing was ended\n", stderr);
		finish(headless, 128 + signal_number);
	} else if (headless->printed) {
		uv_stop(&headless->app->loop);
	} else {
		finish(headless, 128 + signal_number);
	}
}

static void on_finished(void *data, int status)
{
	finish(data, status);
}

static void open_emergency(struct headless *headless)
{
	const struct emergency_mode_options options = {
		.app = headless->app,
		.target = headless->target,
		.audit = headless->audit,
		.data = headless,
		.finished = on_finished,
	};
	if (headless->app->options.mode == MODE_EMERGENCY)
		headless->emergency = emergency_mode_new(&options);
}

static void open_headless(struct headless *headless)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct app *app = headless->app;
	struct target_options options = app_target_options(app);
	options.data = headless;
	options.assessed = on_assessed;
	options.refresh_until_complete = true;
	options.await_proxy = app->options.mode != MODE_KILL_LEAKED;
	headless->target = target_new(&app->loop, &options);
	CLEANUP(cleanup_free) char *path = audit_default_path();
	headless->audit = audit_new(path);
	const struct execute_options execute = {
		.readonly = app->config->readonly,
		.deadline = EXECUTE_DEADLINE_DEFAULT,
		.audit = headless->audit,
	};
	const struct execute_callbacks callbacks = { .data = headless, .done = on_done };
	headless->lock_impact = lock_impact_new(target_session(headless->target),
		&(struct lock_impact_callbacks){ .data = headless, .arrived = on_lock_impact });
	headless->executor =
		execute_new(&app->loop, target_session(headless->target), &execute, &callbacks);
	open_emergency(headless);
	headless->timeout = handle_new_timer(&headless->app->loop, headless);
	headless->pace = handle_new_timer(&headless->app->loop, headless);
	uv_timer_start(headless->timeout, on_timeout, TIMEOUT_MS, 0);
	headless->signals =
		signal_watch_new(&app->loop, signals, sizeof(signals) / sizeof(signals[0]),
			&(struct signal_watch_callbacks){ headless, on_interrupt });
}

static void close_headless(struct headless *headless)
{
	handle_close(headless->timeout);
	handle_close(headless->pace);
	signal_watch_free(headless->signals);
	emergency_mode_free(headless->emergency);
	lock_impact_free(headless->lock_impact);
	execute_free(headless->executor);
	target_free(headless->target);
	app_report_unwritten("audit log", audit_free(headless->audit));
	action_free(headless->plan);
}

/* A mode that ends sessions or processes needs a terminal to ask on, or --yes, and must not be
 * read-only. --dry-run needs neither. */
static bool may_begin(const struct app *app)
{
	const struct options *options = &app->options;
	bool emergency = options->mode == MODE_EMERGENCY;
	if ((options->mode != MODE_KILL_LEAKED && !emergency) || options->dry_run)
		return true;
	if (!options->yes && !isatty(STDIN_FILENO)) {
		fprintf(stderr, "dbtop: --%s asks on a terminal; without one it needs --yes\n",
			emergency ? "emergency" : "kill-leaked");
		return false;
	}
	if (app->config->readonly)
		fprintf(stderr,
			"dbtop: read-only: nothing can be ended; --dry-run shows the plan\n");
	return !app->config->readonly;
}

int headless_run(struct app *app)
{
	struct headless headless = { .app = app, .status = EXIT_UNKNOWN };
	if (!may_begin(app))
		return EXIT_USAGE;
	open_headless(&headless);
	target_start(headless.target);
	uv_run(&app->loop, UV_RUN_DEFAULT);
	close_headless(&headless);
	return headless.status;
}
