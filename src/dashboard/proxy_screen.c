/* P: the local proxy; starting and restarting it. */
#include "view/proxy_view.h"

#include "action/proxy_plan.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/autostart.h"
#include "target/target.h"

static const char *refusal(const struct dashboard *dashboard, enum action_kind kind)
{
	const char *why = command_refusal(dashboard);
	return why ? why
		   : proxy_plan_refusal(kind, target_assessment(dashboard->target)->proxy,
			     dashboard->app->config->proxy.start.count);
}

static void plan(struct dashboard *dashboard, enum action_kind kind)
{
	const struct config_list *start = &dashboard->app->config->proxy.start;
	const char *why = refusal(dashboard, kind);
	if (why) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, why);
		return;
	}
	CLEANUP(cleanup_free) char *output = autostart_output_path();
	command_open_plan(dashboard,
		proxy_plan(kind, target_assessment(dashboard->target)->proxy, start->items,
			start->count, output),
		NULL);
}

void command_proxy(struct dashboard *dashboard)
{
	ui_push(&dashboard->ui, &proxy_view);
}

static void start(struct dashboard *dashboard)
{
	plan(dashboard, ACTION_PROXY_START);
}

static void restart(struct dashboard *dashboard)
{
	plan(dashboard, ACTION_PROXY_RESTART);
}

static bool would_start(const struct dashboard *dashboard)
{
	return !refusal(dashboard, ACTION_PROXY_START);
}

static bool would_restart(const struct dashboard *dashboard)
{
	return !refusal(dashboard, ACTION_PROXY_RESTART);
}

static const struct binding keys[] = {
	{ start, { CHAR('s') }, "s", "start", NULL, false, .works = would_start },
	{ restart, { CHAR('r') }, "r", "restart", NULL, false, .works = would_restart },
	{ command_back, { KEY(ESCAPE), CHAR('q'), CHAR('P'), KEY(ENTER) }, "Esc", "close", NULL,
		true },
	{ 0 },
};

static void enter(struct dashboard *dashboard)
{
	target_watch_proxy(dashboard->target, true);
}

static void leave(struct dashboard *dashboard)
{
	target_watch_proxy(dashboard->target, false);
}

const struct screen proxy_screen = {
	.view = &proxy_view,
	.keys = keys,
	.enter = enter,
	.leave = leave,
};
