/* Runs until SIGTERM or SIGINT. SIGHUP reads the configuration again: what it says about servers
 * needs a new run, and all else takes effect in the present one, which keeps its session and the
 * times of the leaks. */
#include "modes/unattended_mode.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "loop/handle.h"
#include "loop/signal_watch.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "modes/app.h"
#include "modes/autostart.h"
#include "modes/connect.h"
#include "modes/guarding.h"
#include "modes/log.h"
#include "modes/metrics_server.h"
#include "modes/notifier.h"
#include "modes/run.h"
#include "modes/settings.h"
#include "report/metrics.h"
#include "report/metrics_counters.h"
#include "report/result.h"
#include "session/session.h"
#include "target/target_assess.h"

/* After this time of an action under way, a new configuration is looked at again. */
#define RELOAD_RETRY_MS 100

struct unattended {
	struct app *app;
	struct run *run;
	struct notifier *notifier;
	struct guarding *guarding;         /* NULL unless --guard */
	struct autostart *autostart;       /* NULL: not wanted */
	struct metrics_server *server;     /* NULL unless --metrics */
	struct metrics_counters *counters; /* go on from run to run */
	const char *status; /* without a guard: what was said of the connection; NULL: nothing */
	uv_timer_t *reload;
	bool wants_run; /* a new run follows this one */
};

/* --- messages --- */

/* To the log, to standard error, and to systemd. */
static void say(struct unattended *mode, const char *text)
{
	log_write(mode->app->log, "%s", text);
	fprintf(stderr, "dbtop: %s\n", text);
	notifier_status(mode->notifier, text);
}

static void on_decided(void *data, const char *text)
{
	say(data, text);
}

static void on_acted(void *data, const struct action *action)
{
	const struct unattended *mode = data;
	for (size_t i = 0; i < action->n_steps; i++)
		if (action->steps[i].selected)
			metrics_counters_note(mode->counters, action->steps[i].result);
	if (mode->app->options.json)
		app_check_written(result_print_event(action, instant_now(), stdout));
}

/* --- the guard --- */

static struct guarding_rules guarding_rules(const struct unattended *mode)
{
	const struct app *app = mode->app;
	return (struct guarding_rules){
		.after = app->config->guard.after,
		.least = app->options.least ? app->options.least : app->config->guard.min_certainty,
		.gap = target_stale_after(run_target(mode->run)),
		.per_minute = app->config->kill_limit,
		.readonly = app->config->readonly,
		.dry_run = app->options.dry_run,
	};
}

static void open_guarding(struct unattended *mode)
{
	const struct guarding_rules rules = guarding_rules(mode);
	const struct guarding_callbacks callbacks = {
		.data = mode,
		.decided = on_decided,
		.acted = on_acted,
	};
	mode->guarding = guarding_new(&mode->app->loop, target_session(run_target(mode->run)),
		run_audit(mode->run), &rules, &callbacks);
}

/* --- metrics --- */

/* The name of the configuration, or where the server is. The caller frees it. */
static char *server_label(const struct unattended *mode, const struct assessment *assessment)
{
	const struct app *app = mode->app;
	if (app->servers[0].name)
		return mem_strdup(app->servers[0].name);
	return metrics_server_label(assessment);
}

static char *render(void *data, enum metrics_format format, size_t *ret_length)
{
	const struct unattended *mode = data;
	const struct assessment *assessment = target_assessment(run_target(mode->run));
	CLEANUP(cleanup_free) char *label = server_label(mode, assessment);
	const struct metrics_source source = { label, assessment, mode->counters };
	const struct metrics_options options = {
		.format = format,
		.processes = mode->app->config->metrics_processes,
		.wanted_free = (int)mode->app->options.min_free,
	};
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_length);
	if (!file)
		return NULL;
	int r = metrics_print(&source, 1, &options, file);
	fclose(file);
	if (r == 0)
		return text;
	free(text);
	return NULL;
}

/* Anybody who can reach the port reads this: no error's text. */
static bool check_health(void *data, char line[static 128])
{
	const struct unattended *mode = data;
	const struct assessment *assessment = target_assessment(run_target(mode->run));
	bool is_fresh = !findings_has_no_rows(assessment);
	snprintf(line, 128, "%s: %s\n", is_fresh ? "ok" : "not fresh",
		server_status_name(assessment->server.status));
	return is_fresh;
}

static int open_server(struct unattended *mode)
{
	const struct metrics_server_callbacks callbacks = { mode, render, check_health };
	char error[METRICS_SERVER_ERROR_MAX];
	if (!mode->app->options.metrics)
		return 0;
	int r = metrics_server_new(
		&mode->app->loop, mode->app->options.metrics, &callbacks, &mode->server, error);
	if (r < 0)
		fprintf(stderr, "dbtop: --metrics: %s\n", error);
	return r;
}

/* --- the run --- */

/* Without a guard, which says it by itself. */
static void say_status(struct unattended *mode, const struct assessment *assessment)
{
	const char *status = server_status_name(assessment->server.status);
	if (mode->guarding || assessment->server.status == SERVER_CONNECTING ||
		(mode->status && strcmp(mode->status, status) == 0))
		return;
	mode->status = status;
	char text[FINDINGS_TEXT_MAX] = "connected";
	if (assessment->server.status != SERVER_OK)
		findings_describe_blindness(assessment, CERTAINTY_NONE, text);
	say(mode, text);
}

static void on_assessed(void *data, size_t server)
{
	(void)server;
	struct unattended *mode = data;
	const struct assessment *assessment = target_assessment(run_target(mode->run));
	metrics_counters_update(mode->counters, assessment);
	if (mode->server)
		metrics_server_changed(mode->server);
	say_status(mode, assessment);
	autostart_update(mode->autostart, assessment);
	if (mode->guarding)
		guarding_update(mode->guarding, assessment);
}

/* --- a new configuration --- */

/* The log's file may be another one. */
static void open_log_again(struct app *app, const struct app *before)
{
	if (strcmp(app->config->log, before->config->log) == 0)
		return;
	app_report_unwritten("log", log_close(app->log));
	app->log = log_open(*app->config->log ? app->config->log : NULL);
}

/* Takes effect at once, unless it is about servers. */
static void apply(struct unattended *mode, const struct app *before)
{
	open_log_again(mode->app, before);
	if (!settings_same_servers(mode->app, before)) {
		mode->wants_run = true;
		run_finish(mode->run, EXIT_CLEAN);
		return;
	}
	target_set_interval(run_target(mode->run), mode->app->config->interval);
	const struct guarding_rules rules = guarding_rules(mode);
	if (mode->guarding)
		guarding_set_rules(mode->guarding, &rules);
	/* what kept us out may have been mended with it */
	session_retry(target_session(run_target(mode->run)));
}

static void read_again(struct unattended *mode)
{
	char text[sizeof(mode->app->error) + 80];
	struct app before = { 0 };
	notifier_reloading(mode->notifier);
	if (settings_read_again(mode->app, &before) == 0) {
		say(mode, "the configuration was read again");
		apply(mode, &before);
		settings_release(&before);
	} else {
		snprintf(text, sizeof(text), "the configuration stays as it was%s%s",
			*mode->app->error ? ": " : "", mode->app->error);
		say(mode, text);
	}
	notifier_ready(mode->notifier);
}

static void on_reload(uv_timer_t *timer)
{
	struct unattended *mode = timer->data;
	if (mode->guarding && guarding_is_busy(mode->guarding))
		uv_timer_start(timer, on_reload, RELOAD_RETRY_MS, 0);
	else
		read_again(mode);
}

/* --- signals, and one run after the other --- */

static void on_received(void *data, int signal_number)
{
	struct unattended *mode = data;
	if (signal_number == SIGHUP) {
		uv_timer_start(mode->reload, on_reload, 0, 0);
		return;
	}
	notifier_stopping(mode->notifier);
	mode->wants_run = false;
	run_finish(mode->run, EXIT_CLEAN);
}

static void open_autostart(struct unattended *mode)
{
	const struct autostart_callbacks callbacks = { mode, on_decided };
	mode->autostart = autostart_new(mode->app, &mode->app->loop,
		target_session(run_target(mode->run)), run_audit(mode->run), &callbacks);
}

static int run_once(struct unattended *mode)
{
	const struct run_options options = {
		.target = app_target_options(mode->app),
		.data = mode,
		.unattended = true,
		.assessed = on_assessed,
		.signals = (const int[]){ 0 }, /* none: ours stay from run to run */
	};
	mode->wants_run = false;
	mode->run = run_open(mode->app, &options);
	if (mode->app->options.mode == MODE_GUARD)
		open_guarding(mode);
	open_autostart(mode);
	run_start(mode->run);
	notifier_ready(mode->notifier);
	run_loop(mode->run);
	/* an action that is under way is reported here */
	guarding_free(mode->guarding);
	mode->guarding = NULL;
	autostart_free(mode->autostart);
	int status = run_close(mode->run);
	return status;
}

static bool may_begin(const struct app *app)
{
	const struct options *options = &app->options;
	if (options->mode != MODE_GUARD || options->dry_run)
		return true;
	if (!options->yes && !app->config->guard.yes)
		fputs("dbtop: --guard never asks: it needs --yes, or guard.yes in the "
		      "configuration\n",
			stderr);
	else if (app->config->readonly)
		fputs("dbtop: read-only: nothing can be ended; --dry-run says what would be\n",
			stderr);
	else
		return true;
	return false;
}

int unattended_mode_run(struct app *app)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct unattended mode = { .app = app };
	int status;
	if (!app_has_one_server(app, "--guard or --metrics") || !may_begin(app))
		return EXIT_USAGE;
	if (open_server(&mode) < 0)
		return EXIT_USAGE;
	mode.notifier = notifier_new(&app->loop);
	mode.counters = metrics_counters_new();
	mode.reload = handle_new_timer(&app->loop, &mode);
	if (mode.server) {
		char text[160];
		snprintf(text, sizeof(text), "metrics at %s", metrics_server_url(mode.server));
		say(&mode, text);
	}
	struct signal_watch *watch =
		signal_watch_new(&app->loop, signals, sizeof(signals) / sizeof(signals[0]),
			&(struct signal_watch_callbacks){ &mode, on_received });
	do
		status = run_once(&mode);
	while (mode.wants_run);
	signal_watch_free(watch);
	handle_close(mode.reload);
	metrics_server_free(mode.server);
	metrics_counters_free(mode.counters);
	notifier_free(mode.notifier);
	return status;
}
