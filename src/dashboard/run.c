/* The loop: keys and answers change the state; before the loop sleeps, at most one
 * frame is drawn. */
#include "dashboard/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/audit.h"
#include "action/lock_impact.h"
#include "action/runner.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/attention.h"
#include "dashboard/crash.h"
#include "dashboard/dashboard.h"
#include "dashboard/emergency_screen.h"
#include "dashboard/keymap.h"
#include "dashboard/password.h"
#include "dashboard/player.h"
#include "dashboard/screens.h"
#include "dashboard/themes.h"
#include "dashboard/watch_screen.h"
#include "loop/handle.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/rights.h"
#include "modes/app.h"
#include "modes/autostart.h"
#include "modes/log.h"
#include "modes/run.h"
#include "report/recording.h"
#include "report/result.h"
#include "session/session.h"
#include "tui/input.h"
#include "tui/tui.h"
#include "view/screen.h"
#include "widgets/settle.h"

/* How long the first frame waits for the server's first answer. */
#define TIMEOUT_MS 40

/* How long the first notice is shown, unless a key is pressed. */
#define GREETING_MS 8000

/* How long a key may wait until the audit log is written. */
#define AUDIT_TIMEOUT (300 * USEC_PER_MSEC)

static const char tour[] = "demo: seven leak within seconds; k ends them, Enter says why";

static const int signals[] = { SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT };

/* A frame counts as seen only after the terminal has accepted it. */
static void note_seen(struct dashboard *dashboard)
{
	if (tui_is_waiting(dashboard->tui) || dashboard->question.seen == dashboard->question.drawn)
		return;
	dashboard->question.seen = dashboard->question.drawn;
	dashboard->question.since = instant_monotonic();
}

/* No frame is drawn while the last one waits for the terminal; the newest state is drawn
 * afterwards. */
static void draw(struct dashboard *dashboard)
{
	int width, height;
	if (tui_is_waiting(dashboard->tui))
		return;
	tui_size(dashboard->tui, &width, &height);
	/* A recording has its own clock. */
	dashboard->ui.now = dashboard->player ? 0 : instant_now();
	const struct assessment *assessment = target_assessment(dashboard->target);
	settle_rows(&dashboard->ui, assessment);
	screens_settle(dashboard);
	dashboard->ui.met = keymap_met(dashboard);
	const struct ui_shown shown = screen_build(assessment, target_history(dashboard->target),
		&dashboard->ui, dashboard->plan, width, height, &dashboard->grid);
	ui_note_shown(&dashboard->ui, &shown);
	attention_show(dashboard);
	tui_draw(dashboard->tui, &dashboard->grid);
	dashboard->dirty = false;
	dashboard->question.drawn = dashboard->ui.questions;
	note_seen(dashboard);
}

/* The terminal accepts output again, or it hung up: then the waiting output is dropped. */
static void on_writable(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	struct dashboard *dashboard = poll->data;
	tui_flush(dashboard->tui);
	note_seen(dashboard);
	if (!tui_is_waiting(dashboard->tui))
		uv_poll_stop(poll);
}

/* Runs once before each sleep of the loop: one frame for all changes since. */
static void on_prepare(uv_prepare_t *prepare)
{
	struct dashboard *dashboard = prepare->data;
	if (!dashboard->tui)
		return;
	screens_follow(dashboard);
	if (dashboard->dirty)
		draw(dashboard);
	if (tui_is_waiting(dashboard->tui) && !uv_is_active((uv_handle_t *)dashboard->output))
		uv_poll_start(dashboard->output, UV_WRITABLE, on_writable);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct dashboard *dashboard = poll->data;
	struct key_event event;
	int r = status < 0 ? -EIO : 0;
	while (!dashboard->leaving && r >= 0 && (r = input_read(dashboard->tui, &event)) == 1) {
		uint64_t questions = dashboard->ui.questions;
		keymap_press(dashboard, &event);
		/* Draws now: the next key must apply to a screen that was drawn. */
		if (dashboard->ui.questions != questions && dashboard->tui) {
			screens_follow(dashboard);
			draw(dashboard);
		}
	}
	/* A terminal that is gone is treated like SIGHUP. */
	if (r < 0)
		dashboard_leave(dashboard, 128 + SIGHUP);
	dashboard->dirty = true;
}

static void on_signal(void *data, int signal_number)
{
	struct dashboard *dashboard = data;
	switch (signal_number) {
	case SIGWINCH:
		if (dashboard->tui)
			tui_resize(dashboard->tui);
		dashboard->dirty = true;
		break;
	case SIGTSTP: dashboard_suspend(dashboard); break;
	case SIGCONT:
		/* The program was stopped by SIGSTOP, which cannot be caught: the shell used the
		 * terminal. */
		if (dashboard->tui) {
			tui_resume(dashboard->tui);
			dashboard_redraw(dashboard);
		}
		break;
	case SIGINT:
		/* If the application is in the same job, Ctrl+C may be meant for it. */
		if (dashboard->tui && watch_screen_asks_to_leave(dashboard))
			break;
		dashboard_leave(dashboard, 128 + signal_number);
		break;
	default: dashboard_leave(dashboard, 128 + signal_number); break;
	}
}

/* Opens the terminal for the dashboard. */
static void take_screen(struct dashboard *dashboard)
{
	if (dashboard->tui || dashboard->leaving)
		return;
	uv_timer_stop(dashboard->timeout);
	int r = tui_new(&dashboard->theme, &dashboard->tui);
	if (r < 0) {
		fprintf(stderr, "dbtop: %s\n",
			r == -ENOTTY ? "the dashboard needs a terminal; try --once or --json"
				: r == -ENOTSUP
				? "this terminal's type (TERM) shows no screens; try "
				  "TERM=xterm-256color, or --once"
				: strerror(-r));
		dashboard_leave(dashboard, EXIT_UNKNOWN);
		return;
	}
	if (dashboard->app->config->mouse)
		tui_use_mouse(dashboard->tui);
	attention_update(dashboard);
	dashboard->ui.ascii = tui_is_ascii(dashboard->tui);
	dashboard->grid.ascii = dashboard->ui.ascii;
	dashboard->dirty = true;
	uv_poll_init(&dashboard->app->loop, dashboard->input, tui_fd(dashboard->tui));
	dashboard->input->data = dashboard;
	uv_poll_start(dashboard->input, UV_READABLE, on_input);
	uv_poll_init(&dashboard->app->loop, dashboard->output, tui_output_fd(dashboard->tui));
	dashboard->output->data = dashboard;
}

static void on_timeout(uv_timer_t *timer)
{
	take_screen(timer->data);
}

static void on_greeted(uv_timer_t *timer)
{
	struct dashboard *dashboard = timer->data;
	/* Another notice may have replaced it. */
	if (dashboard->ui.notice && strcmp(dashboard->ui.notice, dashboard->greeting) == 0)
		ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	dashboard->dirty = true;
}

/* Shown once, when the rights of our role are known: an error of the log, or else the missing
 * GRANT. */
static void greet(struct dashboard *dashboard, const struct assessment *assessment)
{
	const char *error = log_error(dashboard->app->log);
	if (dashboard->greeted || !dashboard->tui || dashboard->player || !assessment->activity)
		return;
	dashboard->greeted = true;
	rights_missing(assessment, dashboard->greeting);
	if (error)
		snprintf(dashboard->greeting, sizeof(dashboard->greeting), "%s", error);
	if (!dashboard->greeting[0])
		return;
	ui_notice(&dashboard->ui, STYLE_CAUTION, dashboard->greeting);
	uv_timer_start(dashboard->timeout, on_greeted, GREETING_MS, 0);
}

/* The key m shows it, too. */
static void on_proxy_started(void *data, const char *text)
{
	struct dashboard *dashboard = data;
	log_write(dashboard->app->log, "%s", text);
	ui_notice(&dashboard->ui, STYLE_CAUTION, text);
	dashboard->dirty = true;
}

static void on_assessed(void *data, size_t server)
{
	struct dashboard *dashboard = data;
	(void)server;
	autostart_update(dashboard->autostart, target_assessment(dashboard->target));
	const struct assessment *assessment = target_assessment(dashboard->target);
	attention_update(dashboard);
	screens_assessed(dashboard);
	dashboard->dirty = true;
	if (assessment->server.status != SERVER_CONNECTING &&
		(assessment->activity || dashboard->ui.password_wanted))
		take_screen(dashboard);
	greet(dashboard, assessment);
}

static void on_progress(void *data, const struct action_step *step)
{
	(void)step;
	struct dashboard *dashboard = data;
	dashboard->dirty = true;
}

static void on_lock_impact(void *data)
{
	struct dashboard *dashboard = data;
	dashboard->dirty = true;
}

static void log_step(struct log *log, const struct action *plan, const struct action_step *step)
{
	const char *name = action_kind_name(plan->kind), *result = action_result_name(step->result);
	const char *detail = step->detail ? step->detail : "";
	switch (step->kind) {
	case STEP_SESSION: log_write(log, "%s: backend %d: %s", name, step->pid, result); break;
	case STEP_PAGE: log_write(log, "%s: %s: %s", name, step->page.path, result); break;
	case STEP_PROCESS:
	case STEP_COMMAND:
		log_write(log, "%s: %s%s%s", name, result, *detail ? ": " : "", detail);
		break;
	}
}

static void log_results(struct dashboard *dashboard)
{
	const struct action *plan = dashboard->plan;
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected)
			log_step(dashboard->app->log, plan, &plan->steps[i]);
}

static void on_done(void *data)
{
	struct dashboard *dashboard = data;
	const char *error = audit_error(dashboard->audit);
	log_results(dashboard);
	if (error)
		ui_notice(&dashboard->ui, STYLE_CAUTION, error);
	target_refresh(dashboard->target);
	target_refresh_proxy(dashboard->target);
	dashboard->dirty = true;
}

static void open_dashboard(struct dashboard *dashboard)
{
	struct app *app = dashboard->app;
	size_t n_keys;
	const struct key_help *keys = keymap_help(&n_keys);
	ui_init(&dashboard->ui, keys, n_keys);
	ui_set_columns(&dashboard->ui, app->config->columns.items, app->config->columns.count);
	dashboard->ui.interval = app->config->interval;
	dashboard->ui.readonly = app->config->readonly;
	dashboard->ui.proxy_start = app->proxy_start;
	if (app->options.mode == MODE_DEMO)
		dashboard->ui.tour = tour;
	grid_init(&dashboard->grid);
	const struct run_options options = {
		.target = app_target_options(app),
		.data = dashboard,
		.assessed = on_assessed,
		.received = on_signal,
		.signals = signals,
		.n_signals = sizeof(signals) / sizeof(signals[0]),
	};
	dashboard->run = run_open(app, &options);
	dashboard->target = run_target(dashboard->run);
	dashboard->audit = run_audit(dashboard->run);
	audit_set_timeout(dashboard->audit, AUDIT_TIMEOUT);
	const struct runner_options runner = {
		.readonly = app->config->readonly,
		.deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = dashboard->audit,
	};
	dashboard->runner = runner_new(&app->loop, target_session(dashboard->target), &runner,
		&(struct runner_callbacks){ dashboard, on_progress, on_done });
	/* a recording says nothing about the proxy of now, and the demo has none */
	if (app->options.mode != MODE_REPLAY && app->options.mode != MODE_DEMO)
		dashboard->autostart = autostart_new(app, &app->loop,
			target_session(dashboard->target), dashboard->audit,
			&(struct autostart_callbacks){ dashboard, on_proxy_started });
	dashboard->lock_impact = lock_impact_new(target_session(dashboard->target),
		&(struct lock_impact_callbacks){ .data = dashboard, .arrived = on_lock_impact });
	dashboard->password = password_new();
	dashboard->attention = attention_new();
	dashboard->emergency = emergency_screen_new(dashboard);
	dashboard->watch = watch_screen_new(dashboard);
	dashboard->input = mem_alloc(sizeof(*dashboard->input));
	dashboard->output = mem_alloc(sizeof(*dashboard->output));
	dashboard->draw = mem_alloc(sizeof(*dashboard->draw));
	uv_prepare_init(&app->loop, dashboard->draw);
	dashboard->draw->data = dashboard;
	uv_prepare_start(dashboard->draw, on_prepare);
	dashboard->timeout = handle_new_timer(&app->loop, dashboard);
	uv_timer_start(dashboard->timeout, on_timeout, TIMEOUT_MS, 0);
}

/* Prints the results of a plan that is interrupted by quitting. The terminal may be gone. */
static void report_interrupted(struct dashboard *dashboard)
{
	if (!runner_busy(dashboard->runner))
		return;
	const struct printer_style style = printer_style_for(stdout);
	runner_interrupt(dashboard->runner);
	log_results(dashboard);
	const char *error = audit_error(dashboard->audit);
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	(void)!result_print_text(dashboard->plan, &style, stdout);
}

static void close_dashboard(struct dashboard *dashboard)
{
	/* Closed before the terminal, which they watch. */
	if (dashboard->tui) {
		handle_close(dashboard->input);
		handle_close(dashboard->output);
	} else {
		free(dashboard->input);
		free(dashboard->output);
	}
	tui_free(dashboard->tui);
	report_interrupted(dashboard);
	emergency_screen_free(dashboard->emergency);
	watch_screen_free(dashboard->watch);
	handle_close(dashboard->draw);
	handle_close(dashboard->timeout);
	password_free(dashboard->password);
	free(dashboard->attention);
	player_free(dashboard->player);
	lock_impact_free(dashboard->lock_impact);
	autostart_free(dashboard->autostart);
	runner_free(dashboard->runner);
	action_free(dashboard->plan);
	ui_deinit(&dashboard->ui);
	details_deinit(&dashboard->details);
	log_view_deinit(&dashboard->log);
	grid_deinit(&dashboard->grid);
}

/* Opens the recording of --replay. *ret_recording is not changed in other modes. */
static int open_recording(const struct app *app, struct recording **ret_recording)
{
	char error[RECORDING_ERROR_MAX];
	if (app->options.mode != MODE_REPLAY)
		return 0;
	int r = recording_open(app->options.replay, ret_recording, error);
	if (r < 0)
		fprintf(stderr, "dbtop: %s\n", error);
	return r;
}

/* --watch PID */
static void arm(struct dashboard *dashboard, const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);
	int r = *end || pid < 1 || pid > INT32_MAX
		? -ESRCH
		: watch_screen_arm(dashboard->watch, (int32_t)pid);
	if (r == 0)
		return;
	fprintf(stderr, "dbtop: --watch: no process has the number \"%s\"\n", text);
	dashboard_leave(dashboard, EXIT_USAGE);
}

static void start(struct dashboard *dashboard, struct recording *recording)
{
	if (!recording) {
		run_start(dashboard->run);
		if (dashboard->app->options.mode == MODE_WATCH)
			arm(dashboard, dashboard->app->options.watch);
		return;
	}
	dashboard->player = player_new(dashboard, recording);
	player_start(dashboard->player);
}

int dashboard_run(struct app *app)
{
	struct dashboard dashboard = { .app = app };
	struct recording *recording = NULL;
	if (app->options.mode == MODE_WATCH && !app_has_one_server(app, "--watch"))
		return EXIT_USAGE;
	if (open_recording(app, &recording) < 0)
		return EXIT_USAGE;
	/* A recording is of the past: no action is allowed. */
	if (recording)
		app->config->readonly = true;
	if (themes_load(&dashboard) < 0) {
		recording_free(recording);
		return EXIT_USAGE;
	}
	mem_on_exhausted(tui_crash_restore);
	crash_install(tui_crash_restore);
	open_dashboard(&dashboard);
	start(&dashboard, recording);
	/* If start() has stopped the loop already, this call resets the stop: close_dashboard()
	 * needs the loop to close handles. */
	run_loop(dashboard.run);
	close_dashboard(&dashboard);
	return run_close(dashboard.run);
}
