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

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/attention.h"
#include "dashboard/crash.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/keymap.h"
#include "dashboard/player.h"
#include "dashboard/screens.h"
#include "dashboard/server.h"
#include "dashboard/themes.h"
#include "dashboard/watch_screen.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/rights.h"
#include "model/server_row.h"
#include "modes/app.h"
#include "modes/log.h"
#include "modes/run.h"
#include "modes/settings.h"
#include "report/recording.h"
#include "session/session.h"
#include "target/target.h"
#include "tui/input.h"
#include "tui/tui.h"
#include "view/screen.h"
#include "widgets/settle.h"

/* How long the first frame waits for the server's first answer. */
#define TIMEOUT_MS 40

/* How long the first notice is shown, unless a key is pressed. */
#define GREETING_MS 8000

static const int signals[] = { SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT };

/* How much later the overview shows what is new: 50 servers answer at 50 moments. */
#define OVERVIEW_MS 100

/* A frame counts as seen only after the terminal has accepted it. */
static void note_seen(struct display *display)
{
	struct dashboard *dashboard = display->shown;
	if (tui_is_waiting(display->tui) || dashboard->question.seen == dashboard->question.drawn)
		return;
	dashboard->question.seen = dashboard->question.drawn;
	dashboard->question.since = instant_monotonic();
}

/* Lists what there is to show, as it is to be shown now. */
static void settle(struct dashboard *dashboard)
{
	const struct assessment *assessment =
		dashboard->target ? target_assessment(dashboard->target) : NULL;
	if (assessment)
		settle_rows(&dashboard->ui, assessment);
	screens_settle(dashboard);
}

/* No frame is drawn while the last one waits for the terminal; the newest state is drawn
 * afterwards. */
static void draw(struct display *display)
{
	int width, height;
	struct dashboard *dashboard = display->shown;
	struct target *target = dashboard->target;
	if (tui_is_waiting(display->tui))
		return;
	tui_size(display->tui, &width, &height);
	/* A recording has its own clock. */
	dashboard->ui.now = dashboard->player ? 0 : instant_now();
	dashboard->ui.paused = display->paused;
	dashboard->ui.interval = display->interval;
	settle(dashboard);
	dashboard->ui.met = keymap_met(dashboard);
	const struct ui_shown shown = screen_build(target ? target_assessment(target) : NULL,
		target ? target_history(target) : NULL, &dashboard->ui, dashboard->plan, width,
		height, &display->grid);
	ui_note_shown(&dashboard->ui, &shown);
	attention_show(display);
	tui_draw(display->tui, &display->grid);
	dashboard->dirty = false;
	dashboard->question.drawn = dashboard->ui.questions;
	note_seen(display);
}

/* The terminal accepts output again, or it hung up: then the waiting output is dropped. */
static void on_writable(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	struct display *display = poll->data;
	tui_flush(display->tui);
	note_seen(display);
	if (!tui_is_waiting(display->tui))
		uv_poll_stop(poll);
}

/* Runs once before each sleep of the loop: one frame for all changes since. */
static void on_prepare(uv_prepare_t *prepare)
{
	struct display *display = prepare->data;
	if (!display->tui)
		return;
	screens_follow(display->shown);
	if (display->shown->dirty)
		draw(display);
	if (tui_is_waiting(display->tui) && !uv_is_active((uv_handle_t *)display->output))
		uv_poll_start(display->output, UV_WRITABLE, on_writable);
}

/* The server's row in the overview. */
static void update_row(struct display *display, size_t server)
{
	struct server_row *row = &display->rows[server];
	int before = row->leaked;
	server_row_update(
		row, run_assessment(display->run, server), (int)display->app->options.min_free);
	row->asks_password = !display->app->options.never_password &&
		session_needs_password(target_session(run_server(display->run, server)));
	attention_note_leaked(display, before, row->leaked);
}

static void show(struct display *display, struct dashboard *dashboard)
{
	display->shown = dashboard;
	dashboard->ui.ascii = display->grid.ascii;
	dashboard->ui.several = display->n_servers > 1;
	/* what it asks has to be seen anew */
	ui_ask_anew(&dashboard->ui);
	dashboard->dirty = true;
	attention_update(display);
}

static void show_server(struct display *display, size_t server)
{
	struct dashboard *dashboard = display->servers[server];
	if (!dashboard)
		dashboard = display->servers[server] = server_open(display, server);
	display->last = server;
	show(display, dashboard);
}

/* Those that the app has, and the display has not yet. */
static void take_servers(struct display *display)
{
	size_t count = display->app->n_servers;
	display->servers = mem_resize(display->servers, count, sizeof(*display->servers));
	display->rows = mem_resize(display->rows, count, sizeof(*display->rows));
	for (size_t i = display->n_servers; i < count; i++) {
		display->servers[i] = NULL;
		server_row_init(&display->rows[i], display->app->servers[i].name);
	}
	display->n_servers = count;
}

/* A person asked for all servers: those of the configuration that the command line does not name
 * are connected now. */
static void connect_all(struct display *display)
{
	struct app *app = display->app;
	bool is_private = app->options.mode == MODE_DEMO;
	if (display->is_complete)
		return;
	display->is_complete = true;
	CLEANUP(cleanup_free) char *error = is_private ? NULL : settings_add_databases(app);
	take_servers(display);
	overview_set_rows(&display->overview, display->rows, display->n_servers);
	run_add_servers(display->run);
	dashboard_set_interval(display->all, display->interval);
	/* the new ones have nothing yet that could be kept */
	if (display->paused)
		dashboard_pause(display->all, false);
	if (error)
		ui_notice(&display->all->ui, STYLE_CAUTION, error);
}

static void show_overview(struct display *display)
{
	if (!display->all)
		display->all = server_open_overview(display);
	if (display->last != DISPLAY_NOTHING)
		overview_select(&display->overview, &display->all->ui, display->last);
	show(display, display->all);
}

/* Shows what a command wanted to see; returns whether it wanted something. */
static bool show_wanted(struct display *display)
{
	size_t wanted = display->wanted;
	display->wanted = DISPLAY_NOTHING;
	if (wanted == DISPLAY_NOTHING)
		return false;
	if (wanted == DISPLAY_OVERVIEW) {
		show_overview(display);
		connect_all(display);
	} else if (!display->servers[wanted]) {
		show_server(display, wanted);
		server_assessed(display->shown);
	} else
		show_server(display, wanted);
	return true;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct display *display = poll->data;
	struct key_event event;
	int r = status < 0 ? -EIO : 0;
	while (!display->leaving && r >= 0 && (r = input_read(display->tui, &event)) == 1) {
		uint64_t questions = display->shown->ui.questions;
		keymap_press(display->shown, &event);
		bool is_another = show_wanted(display);
		/* Draws now: the next key must apply to a screen that was drawn. */
		if (is_another || display->shown->ui.questions != questions) {
			screens_follow(display->shown);
			draw(display);
		}
		/* The next key must apply to the list that this one left. */
		settle(display->shown);
	}
	/* A terminal that is gone is treated like SIGHUP. */
	if (r < 0)
		dashboard_leave(display->shown, 128 + SIGHUP);
	display->shown->dirty = true;
}

static void on_signal(void *data, int signal_number)
{
	struct display *display = data;
	switch (signal_number) {
	case SIGWINCH:
		if (display->tui)
			tui_resize(display->tui);
		display->shown->dirty = true;
		break;
	case SIGTSTP: dashboard_suspend(display->shown); break;
	case SIGCONT:
		/* The program was stopped by SIGSTOP, which cannot be caught: the shell used the
		 * terminal. */
		if (display->tui) {
			tui_resume(display->tui);
			dashboard_redraw(display->shown);
		}
		break;
	case SIGINT:
		/* If the application is in the same job, Ctrl+C may be meant for it. */
		if (display->tui && watch_screen_asks_to_leave(display->shown)) {
			(void)show_wanted(display);
			break;
		}
		dashboard_leave(display->shown, 128 + signal_number);
		break;
	default: dashboard_leave(display->shown, 128 + signal_number); break;
	}
}

/* Opens the terminal for the dashboard. */
static void take_screen(struct display *display)
{
	if (display->tui || display->leaving)
		return;
	uv_timer_stop(display->timeout);
	int r = tui_new(&display->theme, &display->tui);
	if (r < 0) {
		fprintf(stderr, "dbtop: %s\n",
			r == -ENOTTY ? "the dashboard needs a terminal; try --once or --json"
				: r == -ENOTSUP
				? "this TERM shows no screens; try TERM=xterm-256color, or "
				  "--once"
				: strerror(-r));
		dashboard_leave(display->shown, EXIT_UNKNOWN);
		return;
	}
	if (display->app->config->mouse)
		tui_use_mouse(display->tui);
	display->grid.ascii = tui_is_ascii(display->tui);
	display->shown->ui.ascii = display->grid.ascii;
	display->shown->dirty = true;
	attention_update(display);
	uv_poll_init(&display->app->loop, display->input, tui_fd(display->tui));
	display->input->data = display;
	uv_poll_start(display->input, UV_READABLE, on_input);
	uv_poll_init(&display->app->loop, display->output, tui_output_fd(display->tui));
	display->output->data = display;
}

static void on_timeout(uv_timer_t *timer)
{
	take_screen(timer->data);
}

static void on_greeted(uv_timer_t *timer)
{
	const struct display *display = timer->data;
	struct dashboard *dashboard = display->shown;
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
	struct display *display = dashboard->display;
	if (dashboard->greeted || !display->tui || dashboard->player || !assessment->activity)
		return;
	dashboard->greeted = true;
	rights_missing(assessment, dashboard->greeting);
	if (error)
		snprintf(dashboard->greeting, sizeof(dashboard->greeting), "%s", error);
	if (!dashboard->greeting[0])
		return;
	ui_notice(&dashboard->ui, STYLE_CAUTION, dashboard->greeting);
	uv_timer_start(display->timeout, on_greeted, GREETING_MS, 0);
}

static void on_overdue(uv_timer_t *timer)
{
	const struct display *display = timer->data;
	display->shown->dirty = true;
}

static void on_assessed(void *data, size_t server)
{
	struct display *display = data;
	struct dashboard *dashboard = display->servers[server];
	const struct assessment *assessment = run_assessment(display->run, server);
	bool is_overview = display->shown == display->all;
	update_row(display, server);
	if (dashboard)
		server_assessed(dashboard);
	if (dashboard == display->shown || is_overview)
		attention_update(display);
	if (is_overview && !uv_is_active((uv_handle_t *)display->overdue))
		uv_timer_start(display->overdue, on_overdue, OVERVIEW_MS, 0);
	if (assessment->server.status != SERVER_CONNECTING &&
		(assessment->activity || (dashboard && dashboard->ui.password_wanted)))
		take_screen(display);
	if (dashboard)
		greet(dashboard, assessment);
}

static void open_display(struct display *display)
{
	struct app *app = display->app;
	const struct run_options options = {
		.target = app_target_options(app),
		.data = display,
		.assessed = on_assessed,
		.received = on_signal,
		.signals = signals,
		.n_signals = sizeof(signals) / sizeof(signals[0]),
	};
	display->keys = keymap_help(&display->n_keys);
	display->attention = attention_new();
	display->last = display->wanted = DISPLAY_NOTHING;
	display->interval = app->config->interval;
	grid_init(&display->grid);
	display->run = run_open(app, &options);
	take_servers(display);
	display->returns = display->is_complete = display->n_servers > 1;
	display->input = mem_alloc(sizeof(*display->input));
	display->output = mem_alloc(sizeof(*display->output));
	display->draw = mem_alloc(sizeof(*display->draw));
	uv_prepare_init(&app->loop, display->draw);
	display->draw->data = display;
	uv_prepare_start(display->draw, on_prepare);
	display->timeout = handle_new_timer(&app->loop, display);
	display->overdue = handle_new_timer(&app->loop, display);
	uv_timer_start(display->timeout, on_timeout, TIMEOUT_MS, 0);
	if (display->returns)
		show_overview(display);
	else
		show_server(display, 0);
}

static void close_display(struct display *display)
{
	/* Closed before the terminal, which they watch. */
	if (display->tui) {
		handle_close(display->input);
		handle_close(display->output);
	} else {
		free(display->input);
		free(display->output);
	}
	tui_free(display->tui);
	for (size_t i = 0; i < display->n_servers; i++) {
		server_close(display->servers[i]);
		server_row_deinit(&display->rows[i]);
	}
	server_close(display->all);
	overview_deinit(&display->overview);
	handle_close(display->draw);
	handle_close(display->timeout);
	handle_close(display->overdue);
	free(display->servers);
	free(display->rows);
	free(display->attention);
	grid_deinit(&display->grid);
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

static void start(struct display *display, struct recording *recording)
{
	struct dashboard *dashboard = display->shown;
	if (!recording) {
		run_start(display->run);
		if (display->app->options.mode == MODE_WATCH)
			arm(dashboard, display->app->options.watch);
		return;
	}
	dashboard->player = player_new(dashboard, recording);
	player_start(dashboard->player);
}

int dashboard_run(struct app *app)
{
	struct display display = { .app = app };
	struct recording *recording = NULL;
	if (app->options.mode == MODE_WATCH && !app_has_one_server(app, "--watch"))
		return EXIT_USAGE;
	if (open_recording(app, &recording) < 0)
		return EXIT_USAGE;
	/* A recording is of the past: no action is allowed. */
	if (recording)
		app->config->readonly = true;
	if (themes_load(&display) < 0) {
		recording_free(recording);
		return EXIT_USAGE;
	}
	mem_on_exhausted(tui_crash_restore);
	crash_install(tui_crash_restore);
	open_display(&display);
	start(&display, recording);
	/* If start() has stopped the loop already, this call resets the stop: close_display()
	 * needs the loop to close handles. */
	run_loop(display.run);
	close_display(&display);
	return run_close(display.run);
}
