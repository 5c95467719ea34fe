/* assess → plan → question → run → report. */
#include "modes/emergency_mode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "action/emergency_run.h"
#include "action/lock_impact.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/plural.h"
#include "config/config.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "modes/app.h"
#include "modes/emergency_assess.h"
#include "modes/log.h"
#include "modes/prompt.h"
#include "modes/run.h"
#include "report/emergency_report.h"
#include "report/exit_status.h"

/* What the sessions hold is asked for once, and waited for no longer than this. */
#define LOCK_IMPACT_TIMEOUT_MS 1000

struct emergency_mode {
	struct app *app;
	struct run *run;
	struct emergency_assess *assess;
	struct emergency_run *emergency_run;
	struct lock_impact *lock_impact; /* of its sessions */
	uv_timer_t *timeout;             /* with their answer */
	struct emergency *emergency;     /* NULL before the plan */
	enum emergency_phase reported;
	bool running;
};

static bool is_json(const struct emergency_mode *mode)
{
	return mode->app->options.json;
}

static void print_plan(const struct emergency_mode *mode, FILE *file)
{
	const struct printer_style style = printer_style_for(file);
	app_check_written(emergency_report_plan(mode->emergency, &style, file));
}

static void print_result(const struct emergency_mode *mode)
{
	const struct printer_style style = printer_style_for(stdout);
	const char *error = audit_error(run_audit(mode->run));
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	if (is_json(mode))
		app_check_written(emergency_report_json(mode->emergency, false, stdout));
	else
		app_check_written(emergency_report_text(mode->emergency, &style, stdout));
}

static void finish(struct emergency_mode *mode, int status)
{
	mode->running = false;
	run_finish(mode->run, status);
}

/* Each step as it happens: for people who wait, not for scripts. */
static void on_progress(void *data, const struct action_step *step)
{
	struct emergency_mode *mode = data;
	const struct printer_style style = printer_style_for(stderr);
	if (step)
		log_write(mode->app->log, "emergency: process %d: %s", step->pid,
			step->result == RESULT_PENDING ? action_signal_name(step->process.signal)
						       : action_result_name(step->result));
	if (is_json(mode) || (!step && mode->emergency->phase == mode->reported))
		return;
	mode->reported = mode->emergency->phase;
	app_check_written(emergency_report_progress(mode->emergency, step, &style, stderr));
}

static void on_done(void *data)
{
	struct emergency_mode *mode = data;
	print_result(mode);
	finish(mode,
		exit_status_of_emergency(
			mode->emergency, target_assessment(run_target(mode->run))));
}

static void ask_assessment(void *data)
{
	struct emergency_mode *mode = data;
	emergency_assess_begin(mode->assess);
}

/* Only the word itself will do. */
static enum prompt_outcome ask(const struct emergency_mode *mode, bool *ret_agreed)
{
	CLEANUP(cleanup_free) char *answer = NULL;
	size_t n = action_count_selected(&mode->emergency->action);
	CLEANUP(cleanup_free)
	char *question =
		mem_printf("Type \"%s\" to stop %zu process%s: ", EMERGENCY_WORD, n, plural_es(n));
	enum prompt_outcome outcome = prompt_ask(question, &answer);
	*ret_agreed = answer && strcmp(answer, EMERGENCY_WORD) == 0;
	return outcome;
}

static void print_trouble(const struct assessment *assessment)
{
	const struct server_state *server = &assessment->server;
	if (server->status != SERVER_OK)
		fprintf(stderr, "dbtop: %s\n",
			server->error ? server->error : server_status_words(server->status));
}

/* Says why nothing is stopped although processes are there, and which --pid holds no connection.
 * Returns the exit status: what was named and is not there cannot be called done. */
static int print_unnamed(const struct emergency_mode *mode, int status)
{
	const struct option_pids *pids = &mode->app->options.pids;
	for (size_t i = 0; i < pids->count; i++) {
		const struct action *action = &mode->emergency->action;
		bool found = false;
		for (size_t k = 0; k < action->n_steps; k++)
			found = found || action->steps[k].pid == pids->items[i];
		if (found)
			continue;
		fprintf(stderr,
			"dbtop: process %d holds no connection to this server that dbtop can see\n",
			pids->items[i]);
		status = status == EXIT_CLEAN ? EXIT_UNKNOWN : status;
	}
	if (mode->emergency->has_room && status != EXIT_LEAKS)
		fputs("dbtop: " EMERGENCY_HAS_ROOM
		      "; --pid, --app or emergency.applications name what to stop anyway\n",
			stderr);
	return status;
}

/* The plan is complete: shows it, asks, and begins. */
static void decide(struct emergency_mode *mode)
{
	const struct options *options = &mode->app->options;
	int status = exit_status_of_emergency_plan(
		mode->emergency, target_assessment(run_target(mode->run)));
	status = print_unnamed(mode, status);
	bool nothing = status != EXIT_LEAKS;
	uv_timer_stop(mode->timeout);
	lock_impact_forget(mode->lock_impact);
	if (options->dry_run || nothing) {
		if (is_json(mode))
			app_check_written(
				emergency_report_json(mode->emergency, options->dry_run, stdout));
		else
			print_plan(mode, stdout);
		finish(mode, status);
		return;
	}
	if (!options->yes) {
		bool agreed;
		print_plan(mode, stderr);
		/* the loop has the signal next */
		if (ask(mode, &agreed) == PROMPT_INTERRUPTED)
			return;
		if (!agreed) {
			fputs("dbtop: nothing was stopped\n", stderr);
			finish(mode, EXIT_LEAKS);
			return;
		}
	}
	mode->running = true;
	int r = emergency_run_begin(mode->emergency_run, mode->emergency);
	if (r == -EIO)
		fprintf(stderr, "dbtop: %s: nothing was stopped\n",
			audit_refusal(run_audit(mode->run)));
	if (r < 0)
		finish(mode, r == -EIO ? EXIT_UNKNOWN : EXIT_LEAKS);
}

/* An empty result for scripts, and why for people. */
static void refuse(struct emergency_mode *mode)
{
	struct emergency *emergency = mode->emergency;
	emergency->action.n_steps = emergency->gone->n_steps = emergency->held->n_steps = 0;
	emergency->cannot = POOLER_REASON;
	fputs("dbtop: " POOLER_REASON "\n", stderr);
	if (is_json(mode))
		app_check_written(
			emergency_report_json(emergency, mode->app->options.dry_run, stdout));
	finish(mode, EXIT_UNKNOWN);
}

static void on_lock_impact(void *data)
{
	decide(data);
}

static void on_no_lock_impact(uv_timer_t *timer)
{
	decide(timer->data);
}

/* What the sessions hold is good to know, but no reason to wait for long. */
static void complete(struct emergency_mode *mode, const struct assessment *assessment)
{
	if (assessment->server.pooler) {
		refuse(mode);
		return;
	}
	print_trouble(assessment);
	if (mode->emergency->connected && lock_impact_ask(mode->lock_impact, mode->emergency->held))
		uv_timer_start(mode->timeout, on_no_lock_impact, LOCK_IMPACT_TIMEOUT_MS, 0);
	else
		decide(mode);
}

static void on_emergency_assessed(
	void *data, struct emergency *emergency, const struct assessment *assessment)
{
	struct emergency_mode *mode = data;
	if (!mode->emergency) {
		mode->emergency = emergency;
		complete(mode, assessment);
		return;
	}
	if (mode->running)
		emergency_run_assessed(mode->emergency_run, emergency, assessment);
	emergency_free(emergency);
}

static void on_begun(void *data, size_t server)
{
	(void)server;
	struct emergency_mode *mode = data;
	emergency_assess_begin(mode->assess);
}

static void on_assessed(void *data, size_t server)
{
	(void)server;
	struct emergency_mode *mode = data;
	emergency_assess_assessed(mode->assess);
}

/* Stops, and prints what was done. */
static void on_received(void *data, int signal_number)
{
	struct emergency_mode *mode = data;
	if (mode->running) {
		emergency_run_interrupt(mode->emergency_run);
		print_result(mode);
		finish(mode, EXIT_LEAKS);
		return;
	}
	if (mode->emergency)
		fputs("dbtop: nothing was stopped\n", stderr);
	run_finish_by_signal(mode->run, signal_number);
}

static void open_mode(struct emergency_mode *mode)
{
	struct app *app = mode->app;
	struct target *target = run_target(mode->run);
	const struct emergency_run_options options = {
		.readonly = app->config->readonly,
		.proc_root = "/proc",
		.audit = run_audit(mode->run),
		.applications = &app->config->emergency.applications,
	};
	const struct emergency_run_callbacks callbacks = {
		.data = mode,
		.assess = ask_assessment,
		.progress = on_progress,
		.done = on_done,
	};
	mode->assess = emergency_assess_new(app, target, on_emergency_assessed, mode);
	mode->lock_impact = lock_impact_new(target_session(target),
		&(struct lock_impact_callbacks){ .data = mode, .arrived = on_lock_impact });
	mode->timeout = handle_new_timer(&app->loop, mode);
	mode->emergency_run =
		emergency_run_new(&app->loop, target_session(target), &options, &callbacks);
}

static void close_mode(void *data)
{
	struct emergency_mode *mode = data;
	emergency_run_free(mode->emergency_run);
	emergency_assess_free(mode->assess);
	lock_impact_free(mode->lock_impact);
	handle_close(mode->timeout);
	emergency_free(mode->emergency);
}

/* It does not wait longer for a server that does not answer: it works without a connection. */
int emergency_mode_run(struct app *app)
{
	struct emergency_mode mode = { .app = app };
	struct run_options options = {
		.target = app_target_options(app),
		.data = &mode,
		.is_enough = run_is_complete,
		.begun = on_begun,
		.assessed = on_assessed,
		.received = on_received,
	};
	if (!app_has_one_server(app, "--emergency") || !app_may_act(app, "--emergency"))
		return EXIT_USAGE;
	options.target.refresh_until_complete = true;
	options.target.await_proxy = true;
	mode.run = run_open(app, &options);
	open_mode(&mode);
	return run_to_end(mode.run, close_mode);
}
