/* The details of one connection. */
#include "view/details.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"
#include "target/target.h"
#include "view/locks.h"

static const struct binding keys[] = {
	{ command_terminate, { CHAR('K') }, "K", "kill", NULL, false,
		.works = command_would_terminate },
	{ command_cancel, { CHAR('c') }, "c", "cancel", NULL, false,
		.works = command_would_cancel },
	{ command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close", NULL, true },
	{ 0 },
};

static void enter(struct dashboard *dashboard)
{
	target_watch_locks(dashboard->target, dashboard->details.pid);
}

static void leave(struct dashboard *dashboard)
{
	/* The locks' screen below it asks for all of them. */
	if (!ui_is_open(&dashboard->ui, &locks_view))
		target_ignore_locks(dashboard->target);
}

static void settle(struct dashboard *dashboard)
{
	details_settle(&dashboard->details, &dashboard->ui, target_assessment(dashboard->target));
}

const struct screen details_screen = {
	.view = &details_view,
	.keys = keys,
	.enter = enter,
	.leave = leave,
	.settle = settle,
};
