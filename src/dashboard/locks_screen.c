/* l: which session blocks which. */
#include "view/locks.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"
#include "target/target.h"
#include "view/details.h"

void command_locks(struct dashboard *dashboard)
{
	if (dashboard->player) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, "a recording holds no locks");
		return;
	}
	ui_push(&dashboard->ui, &locks_view);
}

/* The session in the line under the cursor; NULL if there is none. */
static const struct connection *current(const struct dashboard *dashboard)
{
	return locks_at(target_assessment(dashboard->target), dashboard->ui.cursor);
}

static bool has_session(const struct dashboard *dashboard)
{
	return current(dashboard) != NULL;
}

static void open_details(struct dashboard *dashboard)
{
	const struct connection *connection = current(dashboard);
	if (connection)
		details_open(&dashboard->details, &dashboard->ui, connection);
}

static const struct binding keys[] = {
	{ open_details, { KEY(ENTER) }, "Enter", "details", NULL, false, .works = has_session },
	{ command_back, { KEY(ESCAPE), CHAR('q'), CHAR('l') }, "Esc", "close", NULL, true },
	{ 0 },
};

static void enter(struct dashboard *dashboard)
{
	target_watch_locks(dashboard->target, 0);
}

static void leave(struct dashboard *dashboard)
{
	target_ignore_locks(dashboard->target);
}

const struct screen locks_screen = {
	.view = &locks_view,
	.keys = keys,
	.enter = enter,
	.leave = leave,
};
