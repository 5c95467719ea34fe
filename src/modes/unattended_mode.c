/* Runs until SIGTERM or SIGINT, on one server or more. SIGHUP reads the configuration again: what
 * it says about servers needs a new run, and all else takes effect in the present one, which keeps
 * its session and the times of the leaks. */
#include "modes/unattended_mode.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "base/arena.h"
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

/* What the pools of one server have counted; it goes on from run to run. */
struct counted {
	char *key; /* what the options and the configuration call the server */
	struct metrics_counters *counters;
	bool is_taken; /* by a server of this run */
};

/* One server of the run. */
struct watched {
	struct unattended *mode;
	size_t server;
	struct guarding *guarding; /* NULL unless --guard */
	struct metrics_counters *counters;
	const char *status; /* without a guard: what was said of the connection; NULL: nothing */
};

struct unattended {
	struct app *app;
	struct run *run;
	struct notifier *notifier;
	struct watched *watched; /* one a server */
	size_t n_watched;
	struct counted *counted;
	size_t n_counted;
	struct autostart *autostart;   /* NULL: not wanted */
	struct metrics_server *server; /* NULL unless --metrics */
	uv_timer_t *reload;
	bool wants_run; /* a new run follows this one */
};

static const struct assessment *get_assessment(const struct watched *watched)
{
	return run_assessment(watched->mode->run, watched->server);
}

static struct session *get_session(const struct watched *watched)
{
	return target_session(run_server(watched->mode->run, watched->server));
}

/* --- messages --- */

/* To the log, to standard error, and to systemd. */
static void say(struct unattended *mode, const char *text)
{
	log_write(mode->app->log, "%s", text);
	fprintf(stderr, "dbtop: %s\n", text);
	notifier_status(mode->notifier, text);
}

/* The same about one server: of several, with its name. */
static void say_of(const struct watched *watched, const char *text)
{
	struct unattended *mode = watched->mode;
	if (mode->n_watched == 1) {
		say(mode, text);
		return;
	}
	struct arena *arena = arena_new();
	say(mode,
		arena_printf(arena, "%s: %s",
			assessment_server_name(get_assessment(watched), arena), text));
	arena_free(arena);
}

static void on_decided(void *data, const char *text)
{
	say_of(data, text);
}

static void on_autostarted(void *data, const char *text)
{
	say(data, text);
}

static void on_acted(void *data, const struct action *action)
{
	const struct watched *watched = data;
	for (size_t i = 0; i < action->n_steps; i++)
		if (action->steps[i].selected)
			metrics_counters_note(watched->counters, action->steps[i].result);
	if (watched->mode->app->options.json)
		app_check_written(result_print_event(action, instant_now(), stdout));
}

/* --- the guard --- */

static struct guarding_rules guarding_rules(const struct watched *watched)
{
	const struct app *app = watched->mode->app;
	return (struct guarding_rules){
		.after = app->config->guard.after,
		.least = app->options.least ? app->options.least : app->config->guard.min_certainty,
		.gap = target_stale_after(run_server(watched->mode->run, watched->server)),
		.per_minute = app->config->kill_limit,
		.readonly = app->config->readonly,
		.dry_run = app->options.dry_run,
	};
}

static void open_guarding(struct watched *watched)
{
	const struct unattended *mode = watched->mode;
	const struct guarding_rules rules = guarding_rules(watched);
	const struct guarding_callbacks callbacks = {
		.data = watched,
		.decided = on_decided,
		.acted = on_acted,
	};
	watched->guarding = guarding_new(
		&mode->app->loop, get_session(watched), run_audit(mode->run), &rules, &callbacks);
}

/* --- metrics --- */

/* The name of the configuration, or where the server is. In the arena. */
static const char *server_label(const struct watched *watched, struct arena *arena)
{
	const char *name = watched->mode->app->servers[watched->server].name;
	if (name)
		return name;
	CLEANUP(cleanup_free) char *label = metrics_server_label(get_assessment(watched));
	return arena_strdup(arena, label);
}

static bool is_label(const struct metrics_source *sources, size_t count, const char *label)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(sources[i].server, label) == 0)
			return true;
	return false;
}

/* No two labels are the same: a database may be connected to twice, as two roles. */
static struct metrics_source *list_sources(const struct unattended *mode, struct arena *arena)
{
	struct metrics_source *sources = arena_array(arena, mode->n_watched, sizeof(*sources));
	for (size_t i = 0; i < mode->n_watched; i++) {
		const struct watched *watched = &mode->watched[i];
		const char *plain = server_label(watched, arena), *label = plain;
		for (size_t n = 2; is_label(sources, i, label); n++)
			label = arena_printf(arena, "%s#%zu", plain, n);
		sources[i] = (struct metrics_source){ label, get_assessment(watched),
			watched->counters };
	}
	return sources;
}

static char *render(void *data, enum metrics_format format, size_t *ret_length)
{
	const struct unattended *mode = data;
	const struct metrics_options options = {
		.format = format,
		.processes = mode->app->config->metrics_processes,
		.wanted_free = (int)mode->app->options.min_free,
	};
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_length);
	if (!file)
		return NULL;
	struct arena *arena = arena_new();
	int r = metrics_print(list_sources(mode, arena), mode->n_watched, &options, file);
	arena_free(arena);
	fclose(file);
	if (r == 0)
		return text;
	free(text);
	return NULL;
}

/* Of several servers, all must be fresh. Anybody who can reach the port reads this: no error's
 * text. */
static bool check_health(void *data, char line[static 128])
{
	const struct unattended *mode = data;
	size_t n_fresh = 0;
	for (size_t i = 0; i < mode->n_watched; i++)
		n_fresh += !findings_has_no_rows(get_assessment(&mode->watched[i]));
	bool is_fresh = n_fresh == mode->n_watched;
	const char *word = is_fresh ? "ok" : "not fresh";
	if (mode->n_watched == 1)
		snprintf(line, 128, "%s: %s\n", word,
			server_status_name(get_assessment(&mode->watched[0])->server.status));
	else
		snprintf(line, 128, "%s: %zu of %zu servers are\n", word, n_fresh, mode->n_watched);
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
static void say_status(struct watched *watched, const struct assessment *assessment)
{
	const char *status = server_status_name(assessment->server.status);
	if (watched->guarding || assessment->server.status == SERVER_CONNECTING ||
		(watched->status && strcmp(watched->status, status) == 0))
		return;
	watched->status = status;
	char text[FINDINGS_TEXT_MAX] = "connected";
	if (assessment->server.status != SERVER_OK)
		findings_describe_blindness(assessment, CERTAINTY_NONE, text);
	say_of(watched, text);
}

static void on_assessed(void *data, size_t server)
{
	struct unattended *mode = data;
	struct watched *watched = &mode->watched[server];
	const struct assessment *assessment = get_assessment(watched);
	metrics_counters_update(watched->counters, assessment);
	if (mode->server)
		metrics_server_changed(mode->server);
	say_status(watched, assessment);
	if (server == 0)
		autostart_update(mode->autostart, assessment);
	if (watched->guarding)
		guarding_update(watched->guarding, assessment);
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
	for (size_t i = 0; i < mode->n_watched; i++) {
		struct watched *watched = &mode->watched[i];
		target_set_interval(run_server(mode->run, i), mode->app->config->interval);
		const struct guarding_rules rules = guarding_rules(watched);
		if (watched->guarding)
			guarding_set_rules(watched->guarding, &rules);
		/* what kept us out may have been mended with it */
		session_retry(get_session(watched));
	}
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

static bool is_busy(const struct unattended *mode)
{
	for (size_t i = 0; i < mode->n_watched; i++)
		if (mode->watched[i].guarding && guarding_is_busy(mode->watched[i].guarding))
			return true;
	return false;
}

static void on_reload(uv_timer_t *timer)
{
	struct unattended *mode = timer->data;
	if (is_busy(mode))
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

/* The settings are of one proxy. Of several servers, the first one's target watches it, and only if
 * they name its port: else it is the port that each server is reached at. */
static void open_autostart(struct unattended *mode)
{
	const struct autostart_callbacks callbacks = { mode, on_autostarted };
	mode->autostart = NULL;
	if (mode->n_watched == 1 || mode->app->config->proxy.port)
		mode->autostart = autostart_new(mode->app, &mode->app->loop,
			get_session(&mode->watched[0]), run_audit(mode->run), &callbacks);
}

/* The counters of the server of that name in the run before, or new ones. */
static struct metrics_counters *take_counters(struct unattended *mode, const char *key)
{
	for (size_t i = 0; i < mode->n_counted; i++) {
		struct counted *counted = &mode->counted[i];
		if (!counted->is_taken && strcmp(counted->key, key) == 0) {
			counted->is_taken = true;
			return counted->counters;
		}
	}
	mode->counted = mem_resize(mode->counted, mode->n_counted + 1, sizeof(*mode->counted));
	struct counted *counted = &mode->counted[mode->n_counted++];
	*counted = (struct counted){ mem_strdup(key), metrics_counters_new(), true };
	return counted->counters;
}

static void free_counters(struct unattended *mode)
{
	for (size_t i = 0; i < mode->n_counted; i++) {
		metrics_counters_free(mode->counted[i].counters);
		free(mode->counted[i].key);
	}
	free(mode->counted);
}

static void open_watched(struct unattended *mode)
{
	mode->n_watched = run_n_servers(mode->run);
	mode->watched = mem_alloc(mode->n_watched * sizeof(*mode->watched));
	for (size_t i = 0; i < mode->n_counted; i++)
		mode->counted[i].is_taken = false;
	for (size_t i = 0; i < mode->n_watched; i++) {
		mode->watched[i] = (struct watched){
			.mode = mode,
			.server = i,
			.counters = take_counters(mode, mode->app->servers[i].command),
		};
		if (mode->app->options.mode == MODE_GUARD)
			open_guarding(&mode->watched[i]);
	}
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
	open_watched(mode);
	open_autostart(mode);
	run_start(mode->run);
	notifier_ready(mode->notifier);
	run_loop(mode->run);
	/* an action that is under way is reported here */
	for (size_t i = 0; i < mode->n_watched; i++)
		guarding_free(mode->watched[i].guarding);
	autostart_free(mode->autostart);
	int status = run_close(mode->run);
	free(mode->watched);
	mode->watched = NULL;
	mode->n_watched = 0;
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
	if (!may_begin(app))
		return EXIT_USAGE;
	if (open_server(&mode) < 0)
		return EXIT_USAGE;
	mode.notifier = notifier_new(&app->loop);
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
	free_counters(&mode);
	notifier_free(mode.notifier);
	return status;
}
