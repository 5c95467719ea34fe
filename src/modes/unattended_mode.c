/* Runs until SIGTERM or SIGINT. SIGHUP reads the configuration again: what it says about servers
 * needs a new run, and all else takes effect in the present one, which keeps its session and the
 * times of the leaks. */
#include "modes/unattended_mode.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "loop/handle.h"
#include "loop/signal_watch.h"
#include "model/action.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/guarding.h"
#include "modes/log.h"
#include "modes/notifier.h"
#include "modes/run.h"
#include "modes/settings.h"
#include "report/result.h"
#include "session/session.h"
#include "target/target_assess.h"

/* After this time of an action under way, a new configuration is looked at again. */
#define RELOAD_RETRY_MS 100

struct unattended {
	struct app *app;
	struct run *run;
	struct notifier *notifier;
	struct guarding *guarding; /* NULL unless --guard */
	uv_timer_t *reload;
	bool wants_run; /* a new run follows this one */
};

/* --- what is said --- */

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

static void on_assessed(void *data)
{
	struct unattended *mode = data;
	guarding_update(mode->guarding, target_assessment(run_target(mode->run)));
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
	if (guarding_is_busy(mode->guarding))
		uv_timer_start(timer, on_reload, RELOAD_RETRY_MS, 0);
	else
		read_again(mode);
}

/* --- the run --- */

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
	open_guarding(mode);
	run_start(mode->run);
	notifier_ready(mode->notifier);
	run_loop(mode->run);
	/* an action that is under way is reported here */
	guarding_free(mode->guarding);
	int status = run_close(mode->run);
	return status;
}

static bool may_begin(const struct app *app)
{
	const struct options *options = &app->options;
	if (options->dry_run)
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
	if (!may_begin(app))
		return EXIT_USAGE;
	mode.notifier = notifier_new(&app->loop);
	mode.reload = handle_new_timer(&app->loop, &mode);
	struct signal_watch *watch =
		signal_watch_new(&app->loop, signals, sizeof(signals) / sizeof(signals[0]),
			&(struct signal_watch_callbacks){ &mode, on_received });
	do
		status = run_once(&mode);
	while (mode.wants_run);
	signal_watch_free(watch);
	handle_close(mode.reload);
	notifier_free(mode.notifier);
	return status;
}
