/* The commands of the proxy's screen. */
#include <string.h>

#include "action/audit.h"
#include "action/proxy_plan.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "target/target.h"

/* The output's file, in the folder of the audit log, which exists because the audit is written
 * first. The caller frees the path. */
static char *output_path(void)
{
	CLEANUP(cleanup_free) char *audit = audit_default_path();
	char *slash = audit ? strrchr(audit, '/') : NULL;
	return slash ? mem_printf("%.*s/proxy.log", (int)(slash - audit), audit) : NULL;
}

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
	CLEANUP(cleanup_free) char *output = output_path();
	command_open_plan(dashboard,
		proxy_plan(kind, target_assessment(dashboard->target)->proxy, start->items,
			start->count, output),
		NULL);
}

void command_proxy(struct dashboard *dashboard)
{
	ui_push(&dashboard->ui, SCREEN_PROXY);
}

void command_proxy_start(struct dashboard *dashboard)
{
	plan(dashboard, ACTION_PROXY_START);
}

void command_proxy_restart(struct dashboard *dashboard)
{
	plan(dashboard, ACTION_PROXY_RESTART);
}

bool command_would_start(const struct dashboard *dashboard)
{
	return !refusal(dashboard, ACTION_PROXY_START);
}

bool command_would_restart(const struct dashboard *dashboard)
{
	return !refusal(dashboard, ACTION_PROXY_RESTART);
}
