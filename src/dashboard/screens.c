/* One row for each screen; nothing else in this layer lists them. */
#include "dashboard/screens.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"
#include "view/help.h"
#include "view/log_view.h"
#include "view/plan.h"

static const struct binding help_keys[] = {
	{ command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER), CHAR('?') }, "Esc", "close", NULL,
		true },
	{ 0 },
};

static const struct screen help_screen = { .view = &help_view, .keys = help_keys };
static const struct screen log_screen = { .view = &log_view, .keys = close_keys };
static const struct screen results_screen = { .view = &results_view, .keys = close_keys };

static const struct screen *const screens[] = {
	&table_screen,
	&overview_screen,
	&plan_screen,
	&results_screen,
	&emergency_screen,
	&emergency_run_screen,
	&watch_screen,
	&quit_screen,
	&help_screen,
	&details_screen,
	&proxy_screen,
	&locks_screen,
	&log_screen,
	&password_screen,
};
#define SCREENS (sizeof(screens) / sizeof(screens[0]))

const struct screen *screens_get(size_t index)
{
	return index < SCREENS ? screens[index] : NULL;
}

static const struct screen *find(const struct view *view)
{
	for (size_t i = 0; i < SCREENS; i++)
		if (screens[i]->view == view)
			return screens[i];
	return &table_screen;
}

const struct screen *screens_top(const struct dashboard *dashboard)
{
	return find(ui_top(&dashboard->ui));
}

void screens_assessed(struct dashboard *dashboard)
{
	for (size_t i = 0; i < SCREENS; i++)
		if (screens[i]->assessed)
			screens[i]->assessed(dashboard);
}

void screens_follow(struct dashboard *dashboard)
{
	const struct ui_state *ui = &dashboard->ui;
	/* A recording has nothing to ask. */
	if (dashboard->player || dashboard->followed.questions == ui->questions)
		return;
	for (size_t i = 0; i < dashboard->followed.depth; i++) {
		const struct screen *screen = find(dashboard->followed.views[i]);
		if (!ui_is_open(ui, screen->view) && screen->leave)
			screen->leave(dashboard);
	}
	dashboard->followed.questions = ui->questions;
	dashboard->followed.depth = ui->depth;
	for (size_t i = 0; i < ui->depth; i++)
		dashboard->followed.views[i] = ui->views[i];
	const struct screen *top = screens_top(dashboard);
	if (top->enter)
		top->enter(dashboard);
}

void screens_settle(struct dashboard *dashboard)
{
	for (size_t i = 0; i < dashboard->ui.depth; i++) {
		const struct screen *screen = find(dashboard->ui.views[i]);
		if (screen->settle)
			screen->settle(dashboard);
	}
}
