/* The steps of --emergency, shown on the screen while they run. */
#include "dashboard/emergency_screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "action/audit.h"
#include "action/emergency_chosen.h"
#include "action/emergency_run.h"
#include "action/lock_impact.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/screen.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "modes/app.h"
#include "modes/emergency_assess.h"
#include "modes/emergency_mode.h"
#include "modes/log.h"
#include "report/emergency_report.h"
#include "view/emergency_view.h"
#include "widgets/frame.h"

struct emergency_screen {
	struct dashboard *dashboard;
	struct emergency_assess *assess;
	struct emergency_run *run;
	struct lock_impact *lock_impact; /* of the sessions to be ended */
	struct emergency *emergency;     /* NULL while it is assessed */
	bool planning;                   /* the next assessment becomes the plan */
	/* the chosen rows when the screen was opened: their processes alone are ticked first */
	struct emergency_chosen *chosen;
	size_t n_chosen;
	bool tagged; /* they were tagged; else the cursor was on them */
};

static void show(struct emergency_screen *screen, struct emergency *emergency)
{
	lock_impact_forget(screen->lock_impact);
	emergency_free(screen->emergency);
	screen->emergency = emergency;
	screen->dashboard->ui.emergency = emergency;
	ui_ask_anew(&screen->dashboard->ui);
	/* If the query for lock impact cannot be sent, the plan is shown without it. */
	if (emergency && emergency->connected)
		(void)!lock_impact_ask(screen->lock_impact, emergency->held);
	screen->dashboard->dirty = true;
}

static void on_emergency_assessed(
	void *data, struct emergency *emergency, const struct assessment *assessment)
{
	struct emergency_screen *screen = data;
	if (emergency_run_busy(screen->run)) {
		emergency_run_assessed(screen->run, emergency, assessment);
		emergency_free(emergency);
	} else if (screen->planning) {
		screen->planning = false;
		/* While the server has room the cursor alone names nobody. */
		if (screen->tagged || !emergency->has_room)
			emergency_chosen_tick(
				emergency, assessment, screen->chosen, screen->n_chosen);
		show(screen, emergency);
	} else {
		emergency_free(emergency);
	}
}

static void ask_assessment(void *data)
{
	struct emergency_screen *screen = data;
	emergency_assess_begin(screen->assess);
}

static void on_progress(void *data, const struct action_step *step)
{
	struct emergency_screen *screen = data;
	screen->dashboard->dirty = true;
	if (step)
		log_write(screen->dashboard->app->log, "emergency: process %d: %s", step->pid,
			step->result == RESULT_PENDING ? action_signal_name(step->process.signal)
						       : action_result_name(step->result));
}

static void on_done(void *data)
{
	struct emergency_screen *screen = data;
	const char *error = audit_error(screen->dashboard->audit);
	if (error)
		ui_notice(&screen->dashboard->ui, STYLE_CAUTION, error);
	target_refresh(screen->dashboard->target);
	screen->dashboard->dirty = true;
}

static void on_lock_impact(void *data)
{
	struct emergency_screen *screen = data;
	screen->dashboard->dirty = true;
}

struct emergency_screen *emergency_screen_new(struct dashboard *dashboard)
{
	struct emergency_screen *screen = mem_alloc(sizeof(*screen));
	struct app *app = dashboard->app;
	screen->dashboard = dashboard;
	screen->assess =
		emergency_assess_new(app, dashboard->target, on_emergency_assessed, screen);
	const struct emergency_run_options options = {
		.readonly = app->config->readonly,
		.proc_root = "/proc",
		.audit = dashboard->audit,
		.applications = &app->config->emergency.applications,
	};
	const struct emergency_run_callbacks callbacks = {
		.data = screen,
		.assess = ask_assessment,
		.progress = on_progress,
		.done = on_done,
	};
	screen->lock_impact = lock_impact_new(target_session(dashboard->target),
		&(struct lock_impact_callbacks){ .data = screen, .arrived = on_lock_impact });
	screen->run = emergency_run_new(
		&app->loop, target_session(dashboard->target), &options, &callbacks);
	return screen;
}

/* Of the tagged sessions, or of the row or group under the cursor. */
static void keep_chosen(struct emergency_screen *screen)
{
	const struct ui_state *ui = &screen->dashboard->ui;
	const struct assessment *assessment = target_assessment(screen->dashboard->target);
	screen->tagged = ui->tagged.count > 0;
	CLEANUP(cleanup_free)
	uint32_t *rows = mem_resize(NULL, assessment->n_connections, sizeof(*rows));
	size_t count = ui_chosen(ui, assessment, rows);
	screen->chosen = mem_resize(screen->chosen, count, sizeof(*screen->chosen));
	screen->n_chosen = count;
	for (size_t i = 0; i < count; i++)
		screen->chosen[i] =
			emergency_chosen_of(assessment, &assessment->connections[rows[i]]);
}

void emergency_screen_open(struct emergency_screen *screen)
{
	struct dashboard *dashboard = screen->dashboard;
	/* While the dashboard is paused no assessment arrives. */
	if (dashboard->display->paused)
		dashboard_pause(dashboard, false);
	show(screen, NULL);
	screen->planning = true;
	keep_chosen(screen);
	dashboard->ui.cursor = 0;
	ui_word_begin(&dashboard->ui, EMERGENCY_WORD);
	ui_push(&dashboard->ui, &emergency_view);
	emergency_assess_begin(screen->assess);
}

static size_t count_ticked(const struct emergency *emergency)
{
	return action_count_selected(&emergency->action) + action_count_selected(emergency->gone);
}

/* Whether there is something to choose from. */
static bool has_choice(const struct emergency *emergency)
{
	for (size_t i = 0; emergency && i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].process.skip == SKIP_UNTICKED)
			return true;
	return emergency && (count_ticked(emergency) || emergency->gone->n_steps);
}

static void tick(struct dashboard *dashboard)
{
	struct emergency_screen *screen = dashboard->emergency;
	struct emergency *emergency = screen->emergency;
	struct ui_state *ui = &dashboard->ui;
	const struct frame frame = { .grid = &dashboard->display->grid, .ui = ui };
	const struct action_step *step = emergency ? emergency_view_step(&frame, ui->cursor) : NULL;
	if (!step)
		return;
	if (step->kind == STEP_SESSION) {
		struct action_step *session =
			&emergency->gone->steps[step - emergency->gone->steps];
		session->selected = !session->selected;
	} else if (!emergency_tick(emergency, (size_t)(step - emergency->action.steps))) {
		return;
	}
	ui_move(ui, 1);
}

static void tick_all(struct dashboard *dashboard)
{
	if (dashboard->emergency->emergency)
		emergency_tick_all(dashboard->emergency->emergency);
}

/* Begins the emergency if the word was typed. */
static void confirm(struct dashboard *dashboard)
{
	struct emergency_screen *screen = dashboard->emergency;
	if (!has_choice(screen->emergency)) {
		ui_pop(&dashboard->ui);
		return;
	}
	if (!count_ticked(screen->emergency)) {
		ui_notice(
			&dashboard->ui, STYLE_CAUTION, "nothing is ticked: Space ticks a process");
		return;
	}
	if (!ui_word_is_right(&dashboard->ui) || emergency_run_busy(screen->run))
		return;
	/* In readonly mode the screen does not open; the run would also refuse. */
	int r = emergency_run_begin(screen->run, screen->emergency);
	if (r == -ENOTSUP)
		ui_notice(&dashboard->ui, STYLE_CAUTION, POOLER_REASON);
	if (r == -EIO) {
		screen->emergency->action.unaudited = true;
		dashboard_ask_unaudited(dashboard);
	}
	if (r < 0)
		return;
	guard_note(&dashboard->ended, emergency_count_connections(screen->emergency),
		instant_monotonic());
	ui_pop(&dashboard->ui);
	ui_push(&dashboard->ui, &emergency_run_view);
}

bool emergency_screen_busy(const struct emergency_screen *screen)
{
	return screen && emergency_run_busy(screen->run);
}

static void print_interrupted(struct emergency_screen *screen)
{
	const struct printer_style style = printer_style_for(stdout);
	emergency_run_interrupt(screen->run);
	/* The terminal may be gone; then writing fails, and that is ignored. */
	(void)!emergency_report_text(screen->emergency, &style, stdout);
}

void emergency_screen_free(struct emergency_screen *screen)
{
	if (!screen)
		return;
	if (emergency_run_busy(screen->run))
		print_interrupted(screen);
	emergency_run_free(screen->run);
	emergency_assess_free(screen->assess);
	lock_impact_free(screen->lock_impact);
	emergency_free(screen->emergency);
	free(screen->chosen);
	free(screen);
}

static void assessed(struct dashboard *dashboard)
{
	if (dashboard->emergency)
		emergency_assess_assessed(dashboard->emergency->assess);
}

static bool takes_text(const struct dashboard *dashboard)
{
	(void)dashboard;
	return true;
}

/* Every letter is part of the word. */
static bool press(struct dashboard *dashboard, const struct key_event *event)
{
	switch (event->key) {
	case INPUT_CHAR:
		/* these tick processes */
		if (!event->pasted && (event->c == ' ' || event->c == '*'))
			return false;
		ui_word_type(&dashboard->ui, event->c);
		return true;
	case INPUT_BACKSPACE:
	case INPUT_DELETE: ui_word_erase(&dashboard->ui); return true;
	default: return false;
	}
}

static const struct binding keys[] = {
	{ tick, { CHAR(' ') }, "Space", "untick", NULL, true },
	{ tick_all, { CHAR('*') }, "*", "all", NULL, false },
	{ confirm, { KEY(ENTER) }, "Enter", "stop #", NULL, true, .confirms = true },
	{ command_back, { KEY(ESCAPE) }, "Esc", "leave them alone", NULL, true },
	{ 0 },
};

const struct screen emergency_screen = {
	.view = &emergency_view,
	.keys = keys,
	.assessed = assessed,
	.takes_text = takes_text,
	.press = press,
};

const struct screen emergency_run_screen = { .view = &emergency_run_view, .keys = close_keys };
