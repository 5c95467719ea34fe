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
#include "config/config.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "modes/app.h"
#include "modes/emergency_assess.h"
#include "modes/log.h"
#include "modes/prompt.h"
#include "report/emergency_report.h"
#include "report/exit_status.h"

/* What the sessions hold is asked for once, and waited for no longer than this. */
#define LOCK_IMPACT_TIMEOUT_MS 1000

struct emergency_mode {
	struct emergency_mode_options options;
	struct emergency_assess *assess;
	struct emergency_run *run;
	struct lock_impact *lock_impact; /* of its sessions */
	uv_timer_t *timeout;             /* with their answer */
	struct emergency *emergency;     /* NULL before the plan */
	enum emergency_phase told;
	bool begun, running;
};

/* A reader that left early (head) is no error to speak of, and changes nothing of what is done. */
static void check_written(int r)
{
	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "dbtop: cannot write: %s\n", strerror(-r));
}

static bool is_json(const struct emergency_mode *mode)
{
	return mode->options.app->options.json;
}

static void print_plan(const struct emergency_mode *mode, FILE *file)
{
	const struct printer_style style = printer_style_for(file);
	check_written(emergency_report_plan(mode->emergency, &style, file));
}

static void print_result(const struct emergency_mode *mode)
{
	const struct printer_style style = printer_style_for(stdout);
	const char *error = audit_error(mode->options.audit);
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	if (is_json(mode))
		check_written(emergency_report_json(mode->emergency, false, stdout));
	else
		check_written(emergency_report_text(mode->emergency, &style, stdout));
}

static void finish(struct emergency_mode *mode, int status)
{
	mode->running = false;
	mode->options.finished(mode->options.data, status);
}

/* Each step as it happens: for people who wait, not for scripts. */
static void on_progress(void *data, const struct emergency_process *process)
{
	struct emergency_mode *mode = data;
	const struct printer_style style = printer_style_for(stderr);
	if (process)
		log_write(mode->options.app->log, "emergency: process %d: %s", process->pid,
			process->result == RESULT_PENDING ? emergency_signal_name(process->signal)
							  : action_result_name(process->result));
	if (is_json(mode) || (!process && mode->emergency->phase == mode->told))
		return;
	mode->told = mode->emergency->phase;
	check_written(emergency_report_progress(mode->emergency, process, &style, stderr));
}

static void on_done(void *data)
{
	struct emergency_mode *mode = data;
	print_result(mode);
	finish(mode,
		exit_status_of_emergency(mode->emergency, target_assessment(mode->options.target)));
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
	size_t n = emergency_count_stopped(mode->emergency);
	CLEANUP(cleanup_free)
	char *question = mem_printf(
		"Type \"%s\" to stop %zu process%s: ", EMERGENCY_WORD, n, n == 1 ? "" : "es");
	enum prompt_outcome outcome = prompt_ask(question, &answer);
	*ret_agreed = answer && strcmp(answer, EMERGENCY_WORD) == 0;
	return outcome;
}

static void print_trouble(const struct assessment *assessment)
{
	const struct server_state *server = &assessment->server;
	if (server->status != SERVER_OK)
		fprintf(stderr, "dbtop: %s\n",
			server->error ? server->error : server_status_name(server->status));
}

/* What is to be done is known: shown, asked about, begun. */
static void decide(struct emergency_mode *mode)
{
	const struct options *options = &mode->options.app->options;
	int status = exit_status_of_emergency_plan(
		mode->emergency, target_assessment(mode->options.target));
	bool nothing = status != EXIT_LEAKS;
	uv_timer_stop(mode->timeout);
	lock_impact_forget(mode->lock_impact);
	if (options->dry_run || nothing) {
		if (is_json(mode))
			check_written(
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
	int r = emergency_run_begin(mode->run, mode->emergency);
	if (r == -EIO)
		fprintf(stderr, "dbtop: %s: nothing was stopped\n",
			audit_error(mode->options.audit));
	if (r < 0)
		finish(mode, r == -EIO ? EXIT_UNKNOWN : EXIT_LEAKS);
}

/* An empty result for scripts, and why for people. */
static void refuse(struct emergency_mode *mode)
{
	struct emergency *emergency = mode->emergency;
	emergency->n_processes = emergency->gone->n_steps = emergency->held->n_steps = 0;
	emergency->cannot = POOLER_REASON;
	fputs("dbtop: " POOLER_REASON "\n", stderr);
	if (is_json(mode))
		check_written(emergency_report_json(
			emergency, mode->options.app->options.dry_run, stdout));
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
		emergency_run_assessed(mode->run, emergency, assessment);
	emergency_free(emergency);
}

struct emergency_mode *emergency_mode_new(const struct emergency_mode_options *options)
{
	struct emergency_mode *mode = mem_alloc(sizeof(*mode));
	struct app *app = options->app;
	mode->options = *options;
	mode->assess = emergency_assess_new(app, options->target, on_emergency_assessed, mode);
	const struct emergency_run_options run = {
		.readonly = app->config->readonly,
		.proc_root = "/proc",
		.audit = options->audit,
		.applications = &app->config->emergency.applications,
	};
	const struct emergency_run_callbacks callbacks = {
		.data = mode,
		.assess = ask_assessment,
		.progress = on_progress,
		.done = on_done,
	};
	mode->lock_impact = lock_impact_new(target_session(options->target),
		&(struct lock_impact_callbacks){ .data = mode, .arrived = on_lock_impact });
	mode->timeout = handle_new_timer(&app->loop, mode);
	mode->run =
		emergency_run_new(&app->loop, target_session(options->target), &run, &callbacks);
	return mode;
}

void emergency_mode_begin(struct emergency_mode *mode)
{
	if (mode->begun)
		return;
	mode->begun = true;
	emergency_assess_begin(mode->assess);
}

void emergency_mode_assessed(struct emergency_mode *mode)
{
	emergency_assess_assessed(mode->assess);
}

int emergency_mode_interrupt(struct emergency_mode *mode, int otherwise)
{
	if (!mode->running && mode->emergency)
		fputs("dbtop: nothing was stopped\n", stderr);
	if (!mode->running)
		return otherwise;
	emergency_run_interrupt(mode->run);
	mode->running = false;
	print_result(mode);
	return EXIT_LEAKS;
}

void emergency_mode_free(struct emergency_mode *mode)
{
	if (!mode)
		return;
	emergency_run_free(mode->run);
	emergency_assess_free(mode->assess);
	lock_impact_free(mode->lock_impact);
	handle_close(mode->timeout);
	emergency_free(mode->emergency);
	free(mode);
}
