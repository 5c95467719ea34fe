/* The plan: its steps are ticked, then it is confirmed. */
#include "view/plan.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"

static const struct binding keys[] = {
	{ command_tick, { CHAR(' ') }, "Space", "untick", "tick or untick a row", true,
		.works = command_would_tick },
	{ command_tick_all, { CHAR('a') }, "a", "all", "tick or untick all", false,
		.works = command_would_tick },
	{ command_tick_proven, { CHAR('p') }, "p", "proven only", "untick all but the proven leaks",
		false, .works = command_would_tick_proven },
	{ command_confirm, { KEY(ENTER) }, "Enter", UI_CONFIRM, "do it to the ticked ones", true,
		.confirms = true },
	{ command_back, { KEY(ESCAPE), CHAR('q') }, "Esc", "leave them alone", "do nothing", true },
	{ 0 },
};

static void click(struct dashboard *dashboard, struct hit hit)
{
	if (hit.kind != HIT_TARGET)
		return;
	dashboard->ui.cursor = hit.id;
	command_tick(dashboard);
}

const struct screen plan_screen = { .view = &plan_view, .keys = keys, .click = click };
