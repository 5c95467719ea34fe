/* Wait for a complete assessment → plan → what would be lost → question → act → result. */
#include "modes/kill_mode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "action/audit.h"
#include "action/guard.h"
#include "action/lock_impact.h"
#include "action/plan.h"
#include "action/runner.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "config/config.h"
#include "loop/handle.h"
#include "model/action.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/prompt.h"
#include "modes/run.h"
#include "report/exit_status.h"
#include "report/result.h"
#include "session/session.h"

/* How long to wait for the sessions' locks: they are useful to know before a kill, but not
 * necessary. */
#define LOCK_IMPACT_TIMEOUT_MS 2000

struct kill_mode {
	struct app *app;
	struct run *run;
	struct runner *runner;
	struct lock_impact *lock_impact;
	struct findings_limits limits;
	struct action *plan; /* NULL before */
	uv_timer_t *timeout; /* with the sessions' locks */
};

static const struct assessment *get_assessment(const struct kill_mode *mode)
{
	return target_assessment(run_target(mode->run));
}

enum consent { CONSENT_YES, CONSENT_NO, CONSENT_INTERRUPTED };

/* Only "y" and "yes" are consent. */
static enum consent ask(const struct action *plan)
{
	CLEANUP(cleanup_free) char *answer = NULL;
	CLEANUP(cleanup_free)
	char *question = mem_printf("End %zu connection%s? [y/N] ", action_count_selected(plan),
		plural_s(action_count_selected(plan)));
	enum prompt_outcome outcome = prompt_ask(question, &answer);
	if (outcome == PROMPT_INTERRUPTED)
		return CONSENT_INTERRUPTED;
	bool yes = answer && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
	return yes ? CONSENT_YES : CONSENT_NO;
}

static void print_plan(const struct kill_mode *mode, FILE *file)
{
	const struct printer_style style = printer_style_for(file);
	app_check_written(result_print_plan(mode->plan, &style, file));
}

/* A reader that has closed the pipe does not change the exit status: the actions are done. */
static void print_result(const struct kill_mode *mode)
{
	const struct printer_style style = printer_style_for(stdout);
	if (mode->app->options.json)
		app_check_written(result_print_json(mode->plan, false, stdout));
	else
		app_check_written(result_print_text(mode->plan, &style, stdout));
}

static void print_done(const struct kill_mode *mode)
{
	const char *error = audit_error(run_audit(mode->run));
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	print_result(mode);
}

static void on_done(void *data)
{
	struct kill_mode *mode = data;
	print_done(mode);
	run_finish(
		mode->run, exit_status_of_result(mode->plan, get_assessment(mode), &mode->limits));
}

static enum consent get_consent(const struct kill_mode *mode)
{
	const struct options *options = &mode->app->options;
	const struct guard_limits limits = {
		.readonly = mode->app->config->readonly,
		.pooler = session_is_pooled(target_session(run_target(mode->run))),
		.per_minute = mode->app->config->kill_limit,
	};
	const struct guard_history history = { 0 };
	struct guard_answer answer =
		guard_check(mode->plan, &limits, &history, instant_monotonic());
	if (answer.verdict == GUARD_REFUSE || (answer.verdict == GUARD_CONFIRM && !options->yes))
		fprintf(stderr, "dbtop: %s\n", answer.why);
	if (answer.verdict == GUARD_REFUSE)
		return CONSENT_NO;
	return options->yes ? CONSENT_YES : ask(mode->plan);
}

/* Why there may be leaks that the plan does not know. */
static void explain_blindness(const struct assessment *assessment)
{
	const struct source_state *activity = &assessment->sources[SOURCE_ACTIVITY];
	if (activity->status != SOURCE_OK)
		fprintf(stderr, "dbtop: the sessions cannot be seen: %s\n",
			activity->error ? activity->error : "no answer");
}

/* The plan is complete: show it, ask, carry it out. */
static void go_on(struct kill_mode *mode)
{
	const struct options *options = &mode->app->options;
	uv_timer_stop(mode->timeout);
	lock_impact_forget(mode->lock_impact);
	if (options->dry_run || mode->plan->n_steps == 0) {
		if (options->json)
			app_check_written(result_print_json(mode->plan, options->dry_run, stdout));
		else
			print_plan(mode, stdout);
		explain_blindness(target_assessment(run_target(mode->run)));
		run_finish(mode->run,
			exit_status_of_plan(mode->plan, get_assessment(mode), &mode->limits));
		return;
	}
	/* show the plan before the question */
	if (!options->yes)
		print_plan(mode, stderr);
	enum consent consent = get_consent(mode);
	if (consent == CONSENT_NO) {
		fputs("dbtop: nothing was ended\n", stderr);
		run_finish(mode->run, EXIT_LEAKS);
	}
	/* after an interrupted question, the loop handles the signal next */
	if (consent != CONSENT_YES)
		return;
	int r = runner_begin(mode->runner, mode->plan);
	if (r == -EIO)
		fprintf(stderr, "dbtop: %s: nothing was ended\n",
			audit_error(run_audit(mode->run)));
	if (r < 0)
		run_finish(mode->run, r == -EIO ? EXIT_UNKNOWN : EXIT_LEAKS);
}

static void on_lock_impact(void *data)
{
	go_on(data);
}

static void on_no_lock_impact(uv_timer_t *timer)
{
	go_on(timer->data);
}

/* Nothing can be ended: the reason for people, and for scripts a result without values. */
static void refuse(struct kill_mode *mode, const char *why)
{
	struct action *plan = mode->plan;
	plan->n_steps = 0;
	plan->has_no_rows = true;
	plan->blind = arena_strdup(plan->arena, why);
	fprintf(stderr, "dbtop: cannot tell: %s\n", why);
	if (mode->app->options.json)
		app_check_written(result_print_json(plan, mode->app->options.dry_run, stdout));
	run_finish(mode->run, EXIT_UNKNOWN);
}

static void on_begun(void *data, size_t server)
{
	(void)server;
	struct kill_mode *mode = data;
	const struct assessment *assessment = get_assessment(mode);
	char text[FINDINGS_TEXT_MAX];
	mode->plan = plan_kill_leaked(assessment, mode->limits.least);
	plan_drop_unticked(mode->plan);
	findings_describe_blindness(assessment, mode->limits.least, text);
	if (findings_has_no_rows(assessment) || assessment->server.pooler) {
		refuse(mode, findings_has_no_rows(assessment) ? text : POOLER_REASON);
		return;
	}
	if (text[0])
		mode->plan->blind = arena_strdup(mode->plan->arena, text);
	if (lock_impact_ask(mode->lock_impact, mode->plan))
		uv_timer_start(mode->timeout, on_no_lock_impact, LOCK_IMPACT_TIMEOUT_MS, 0);
	else
		go_on(mode);
}

/* The results so far are printed. */
static void on_received(void *data, int signal_number)
{
	struct kill_mode *mode = data;
	if (runner_busy(mode->runner)) {
		runner_interrupt(mode->runner);
		print_done(mode);
		run_finish(mode->run, EXIT_LEAKS);
	} else {
		fputs("dbtop: nothing was ended\n", stderr);
		run_finish_by_signal(mode->run, signal_number);
	}
}

static void open_mode(struct kill_mode *mode)
{
	struct app *app = mode->app;
	struct session *session = target_session(run_target(mode->run));
	const struct runner_options runner = {
		.readonly = app->config->readonly,
		.deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = run_audit(mode->run),
	};
	const struct runner_callbacks callbacks = { .data = mode, .done = on_done };
	mode->runner = runner_new(&app->loop, session, &runner, &callbacks);
	mode->lock_impact = lock_impact_new(session,
		&(struct lock_impact_callbacks){ .data = mode, .arrived = on_lock_impact });
	mode->timeout = handle_new_timer(&app->loop, mode);
}

static void close_mode(void *data)
{
	struct kill_mode *mode = data;
	handle_close(mode->timeout);
	lock_impact_free(mode->lock_impact);
	runner_free(mode->runner);
	action_free(mode->plan);
}

int kill_mode_run(struct app *app)
{
	struct kill_mode mode = { .app = app, .limits = app_findings_limits(app) };
	struct run_options options = {
		.target = app_target_options(app),
		.data = &mode,
		.is_enough = run_is_complete,
		.more_time = RUN_MORE_TIME,
		.begun = on_begun,
		.received = on_received,
	};
	if (!app_has_one_server(app, "--kill-leaked") || !app_may_act(app, "--kill-leaked"))
		return EXIT_USAGE;
	options.target.refresh_until_complete = true;
	mode.run = run_open(app, &options);
	open_mode(&mode);
	return run_to_end(mode.run, close_mode);
}
