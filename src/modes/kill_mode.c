/* Wait for a complete assessment → plan → what would be lost → question → act → result.
 *
 * With several servers there is one question about all plans. Where none is asked, each server goes
 * on as soon as its own plan is complete. */
#include "modes/kill_mode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
#include "report/summary_servers.h"
#include "session/session.h"

/* How long to wait for the sessions' locks: they are useful to know before a kill, but not
 * necessary. */
#define LOCK_IMPACT_TIMEOUT_MS 2000

/* The kill on one server. */
struct kill {
	struct kill_mode *mode;
	size_t server;
	struct runner *runner;
	struct lock_impact *lock_impact;
	struct action *plan; /* NULL before */
	uv_timer_t *timeout; /* with the sessions' locks */
	bool is_planned;     /* the plan is complete, or there can be none */
	bool is_done;
	int status; /* once it is done */
};

struct kill_mode {
	struct app *app;
	struct run *run;
	struct findings_limits limits;
	struct kill *kills; /* one a server */
	size_t n_kills;
	bool has_printed; /* a plan or a result */
};

static const struct assessment *get_assessment(const struct kill *kill)
{
	return run_assessment(kill->mode->run, kill->server);
}

/* --- output --- */

static void print_heading(struct kill *kill, FILE *file)
{
	struct kill_mode *mode = kill->mode;
	const struct printer_style style = printer_style_for(file);
	if (mode->n_kills > 1)
		summary_print_heading(get_assessment(kill), &style, mode->has_printed, file);
	mode->has_printed = true;
}

static void print_plan(struct kill *kill, FILE *file)
{
	const struct printer_style style = printer_style_for(file);
	print_heading(kill, file);
	app_check_written(result_print_plan(kill->plan, &style, file));
}

/* A reader that has closed the pipe does not change the exit status: the actions are done. */
static void print_result(struct kill *kill)
{
	const struct printer_style style = printer_style_for(stdout);
	if (kill->mode->app->options.json) {
		app_check_written(result_print_json(kill->plan, false, stdout));
	} else {
		print_heading(kill, stdout);
		app_check_written(result_print_text(kill->plan, &style, stdout));
	}
}

static void print_done(struct kill *kill)
{
	const char *error = audit_error(run_audit(kill->mode->run));
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	print_result(kill);
}

/* One line on standard error; of several servers, with the name. */
static void say(const struct kill *kill, const char *text)
{
	struct arena *arena = arena_new();
	if (kill->mode->n_kills > 1)
		fprintf(stderr, "dbtop: %s: %s\n",
			assessment_server_name(get_assessment(kill), arena), text);
	else
		fprintf(stderr, "dbtop: %s\n", text);
	arena_free(arena);
}

/* --- the end --- */

/* The run ends with the last of them. */
static void finish(struct kill *kill, int status)
{
	struct kill_mode *mode = kill->mode;
	int joined = status;
	kill->status = status;
	kill->is_done = true;
	for (size_t i = 0; i < mode->n_kills; i++) {
		if (!mode->kills[i].is_done)
			return;
		joined = exit_status_join(joined, mode->kills[i].status);
	}
	run_finish(mode->run, joined);
}

static void on_done(void *data)
{
	struct kill *kill = data;
	print_done(kill);
	finish(kill, exit_status_of_result(kill->plan, get_assessment(kill), &kill->mode->limits));
}

/* --- acting --- */

static void act(struct kill *kill)
{
	int r = runner_begin(kill->runner, kill->plan);
	if (r == -EIO) {
		CLEANUP(cleanup_free)
		char *text = mem_printf(
			"%s: nothing was ended", audit_refusal(run_audit(kill->mode->run)));
		say(kill, text);
	}
	if (r < 0)
		finish(kill, r == -EIO ? EXIT_UNKNOWN : EXIT_LEAKS);
}

/* Whether it may be carried out; beyond the limit of a minute, the consent is the answer. */
static bool is_allowed(const struct kill *kill)
{
	const struct kill_mode *mode = kill->mode;
	const struct guard_limits limits = {
		.readonly = mode->app->config->readonly,
		.pooler = session_is_pooled(target_session(run_server(mode->run, kill->server))),
		.per_minute = mode->app->config->kill_limit,
	};
	const struct guard_history history = { 0 };
	struct guard_answer answer =
		guard_check(kill->plan, &limits, &history, instant_monotonic());
	if (answer.verdict == GUARD_REFUSE ||
		(answer.verdict == GUARD_CONFIRM && !mode->app->options.yes))
		say(kill, answer.why);
	return answer.verdict != GUARD_REFUSE;
}

static void decline(struct kill *kill)
{
	say(kill, "nothing was ended");
	finish(kill, EXIT_LEAKS);
}

enum consent { CONSENT_YES, CONSENT_NO, CONSENT_INTERRUPTED };

/* Only "y" and "yes" are consent. */
static enum consent ask(size_t n_sessions, size_t n_servers)
{
	CLEANUP(cleanup_free) char *answer = NULL;
	CLEANUP(cleanup_free)
	char *where = n_servers > 1 ? mem_printf(" on %zu servers", n_servers) : mem_strdup("");
	CLEANUP(cleanup_free)
	char *question = mem_printf(
		"End %zu connection%s%s? [y/N] ", n_sessions, plural_s(n_sessions), where);
	enum prompt_outcome outcome = prompt_ask(question, &answer);
	if (outcome == PROMPT_INTERRUPTED)
		return CONSENT_INTERRUPTED;
	bool yes = answer && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
	return yes ? CONSENT_YES : CONSENT_NO;
}

/* One question about the plans of all servers, which were printed. */
static void ask_once(struct kill_mode *mode)
{
	size_t n_sessions = 0, n_servers = 0;
	for (size_t i = 0; i < mode->n_kills; i++) {
		struct kill *kill = &mode->kills[i];
		if (kill->is_done)
			continue;
		if (!is_allowed(kill)) {
			decline(kill);
			continue;
		}
		n_sessions += action_count_selected(kill->plan);
		n_servers++;
	}
	if (n_servers == 0)
		return;
	enum consent consent = ask(n_sessions, n_servers);
	/* after an interrupted question, the loop handles the signal next */
	for (size_t i = 0; i < mode->n_kills && consent != CONSENT_INTERRUPTED; i++) {
		if (mode->kills[i].is_done)
			continue;
		if (consent == CONSENT_YES)
			act(&mode->kills[i]);
		else
			decline(&mode->kills[i]);
	}
}

/* --- plans --- */

/* Says why there may be leaks that are not in the plan. */
static void explain_blindness(const struct kill *kill)
{
	const struct source_state *activity = &get_assessment(kill)->sources[SOURCE_ACTIVITY];
	if (activity->status == SOURCE_OK)
		return;
	CLEANUP(cleanup_free)
	char *text = mem_printf(
		"the sessions cannot be seen: %s", activity->error ? activity->error : "no answer");
	say(kill, text);
}

static void note_planned(struct kill *kill)
{
	struct kill_mode *mode = kill->mode;
	kill->is_planned = true;
	for (size_t i = 0; i < mode->n_kills; i++)
		if (!mode->kills[i].is_planned)
			return;
	if (!mode->app->options.yes)
		ask_once(mode);
}

/* The plan is complete: show it, ask, carry it out. */
static void go_on(struct kill *kill)
{
	const struct options *options = &kill->mode->app->options;
	uv_timer_stop(kill->timeout);
	lock_impact_forget(kill->lock_impact);
	if (options->dry_run || kill->plan->n_steps == 0) {
		if (options->json)
			app_check_written(result_print_json(kill->plan, options->dry_run, stdout));
		else
			print_plan(kill, stdout);
		explain_blindness(kill);
		finish(kill,
			exit_status_of_plan(kill->plan, get_assessment(kill), &kill->mode->limits));
	} else if (!options->yes) {
		/* show the plan before the question */
		print_plan(kill, stderr);
	} else if (is_allowed(kill)) {
		act(kill);
	} else {
		decline(kill);
	}
	note_planned(kill);
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
static void refuse(struct kill *kill, const char *why)
{
	const struct options *options = &kill->mode->app->options;
	struct action *plan = kill->plan;
	plan->n_steps = 0;
	plan->has_no_rows = true;
	plan->blind = arena_strdup(plan->arena, why);
	CLEANUP(cleanup_free) char *text = mem_printf("cannot tell: %s", why);
	say(kill, text);
	if (options->json)
		app_check_written(result_print_json(plan, options->dry_run, stdout));
	finish(kill, EXIT_UNKNOWN);
	note_planned(kill);
}

static void on_begun(void *data, size_t server)
{
	struct kill_mode *mode = data;
	struct kill *kill = &mode->kills[server];
	const struct assessment *assessment = get_assessment(kill);
	char text[FINDINGS_TEXT_MAX];
	kill->plan = plan_kill_leaked(assessment, mode->limits.least);
	plan_drop_unticked(kill->plan);
	findings_describe_blindness(assessment, mode->limits.least, text);
	if (findings_has_no_rows(assessment) || assessment->server.pooler) {
		refuse(kill, findings_has_no_rows(assessment) ? text : POOLER_REASON);
		return;
	}
	if (text[0])
		kill->plan->blind = arena_strdup(kill->plan->arena, text);
	if (lock_impact_ask(kill->lock_impact, kill->plan))
		uv_timer_start(kill->timeout, on_no_lock_impact, LOCK_IMPACT_TIMEOUT_MS, 0);
	else
		go_on(kill);
}

/* --- the run --- */

/* The results so far are printed. */
static void on_received(void *data, int signal_number)
{
	struct kill_mode *mode = data;
	bool has_acted = false;
	for (size_t i = 0; i < mode->n_kills; i++) {
		struct kill *kill = &mode->kills[i];
		if (runner_busy(kill->runner)) {
			runner_interrupt(kill->runner);
			print_done(kill);
			has_acted = true;
		}
		has_acted |= kill->is_done && action_count_done(kill->plan) > 0;
	}
	if (has_acted) {
		run_finish(mode->run, EXIT_LEAKS);
		return;
	}
	fputs("dbtop: nothing was ended\n", stderr);
	run_finish_by_signal(mode->run, signal_number);
}

static void open_kill(struct kill_mode *mode, size_t server)
{
	struct app *app = mode->app;
	struct kill *kill = &mode->kills[server];
	struct session *session = target_session(run_server(mode->run, server));
	const struct runner_options runner = {
		.readonly = app->config->readonly,
		.deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = run_audit(mode->run),
	};
	const struct runner_callbacks callbacks = { .data = kill, .done = on_done };
	kill->mode = mode;
	kill->server = server;
	kill->runner = runner_new(&app->loop, session, &runner, &callbacks);
	kill->lock_impact = lock_impact_new(session,
		&(struct lock_impact_callbacks){ .data = kill, .arrived = on_lock_impact });
	kill->timeout = handle_new_timer(&app->loop, kill);
}

static void close_mode(void *data)
{
	struct kill_mode *mode = data;
	for (size_t i = 0; i < mode->n_kills; i++) {
		handle_close(mode->kills[i].timeout);
		lock_impact_free(mode->kills[i].lock_impact);
		runner_free(mode->kills[i].runner);
		action_free(mode->kills[i].plan);
	}
	free(mode->kills);
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
	if (!app_may_act(app, "--kill-leaked"))
		return EXIT_USAGE;
	options.target.refresh_until_complete = true;
	mode.run = run_open(app, &options);
	mode.n_kills = run_n_servers(mode.run);
	mode.kills = mem_alloc(mode.n_kills * sizeof(*mode.kills));
	for (size_t i = 0; i < mode.n_kills; i++)
		open_kill(&mode, i);
	return run_to_end(mode.run, close_mode);
}
