/* Connects the screen with the launcher. */
#include "dashboard/proxy_screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "action/launcher.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/dashboard.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/log.h"

struct proxy_screen {
	struct dashboard *dashboard;
	struct launcher *launcher;
	struct launch *launch; /* planned, running or done; NULL */
};

static void log_result(const struct proxy_screen *screen)
{
	const struct launch *launch = screen->launch;
	log_write(screen->dashboard->app->log, "%s: %s%s%s", launch_kind_name(launch->kind),
		launch_result_name(launch->result), launch->detail ? ": " : "",
		launch->detail ? launch->detail : "");
}

static void on_changed(void *data)
{
	struct proxy_screen *screen = data;
	struct dashboard *dashboard = screen->dashboard;
	const struct launch *launch = screen->launch;
	const char *error = audit_error(dashboard->audit);
	dashboard->dirty = true;
	if (launch->phase != LAUNCH_DONE)
		return;
	/* begins a scan at once */
	target_watch_proxy(dashboard->target, false);
	target_watch_proxy(dashboard->target, true);
	if (error)
		ui_notice(&dashboard->ui, STYLE_CAUTION, error);
	log_result(screen);
}

struct proxy_screen *proxy_screen_new(struct dashboard *dashboard)
{
	struct proxy_screen *screen = mem_alloc(sizeof(*screen));
	const struct launcher_options options = {
		.readonly = dashboard->app->config->readonly,
		.audit = dashboard->audit,
		.data = screen,
		.changed = on_changed,
	};
	screen->dashboard = dashboard;
	screen->launcher = launcher_new(&dashboard->app->loop, &options);
	return screen;
}

/* The output's file, in the folder of the audit log, which exists because the audit is written
 * first. The caller frees the path. */
static char *output_path(void)
{
	CLEANUP(cleanup_free) char *audit = audit_default_path();
	char *slash = audit ? strrchr(audit, '/') : NULL;
	return slash ? mem_printf("%.*s/proxy.log", (int)(slash - audit), audit) : NULL;
}

static const char *refusal(const struct proxy_screen *screen, enum launch_kind kind)
{
	const struct config *config = screen->dashboard->app->config;
	if (screen->dashboard->player)
		return "a recording: nothing can be started or stopped";
	if (config->readonly)
		return "read-only: nothing can be started or stopped";
	if (launcher_busy(screen->launcher))
		return "still at work on the last one";
	return launch_refusal(kind, target_assessment(screen->dashboard->target)->proxy,
		config->proxy.start.count);
}

bool proxy_screen_can(const struct proxy_screen *screen, enum launch_kind kind)
{
	return screen && !refusal(screen, kind);
}

void proxy_screen_plan(struct proxy_screen *screen, enum launch_kind kind)
{
	struct dashboard *dashboard = screen->dashboard;
	const struct config_list *start = &dashboard->app->config->proxy.start;
	const char *why = refusal(screen, kind);
	if (why) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, why);
		return;
	}
	CLEANUP(cleanup_free) char *output = output_path();
	launch_free(screen->launch);
	screen->launch = launch_new(kind, target_assessment(dashboard->target)->proxy, start->items,
		start->count, output);
	dashboard->ui.launch = screen->launch;
	ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	ui_push(&dashboard->ui, SCREEN_LAUNCH);
}

void proxy_screen_confirm(struct proxy_screen *screen)
{
	struct dashboard *dashboard = screen->dashboard;
	int r = launcher_run(screen->launcher, screen->launch);
	if (r == -EIO) {
		screen->launch->unaudited = true;
		dashboard_ask_unaudited(dashboard);
		return;
	}
	ui_pop(&dashboard->ui);
	if (r == 0) {
		ui_push(&dashboard->ui, SCREEN_LAUNCH_RUN);
		return;
	}
	ui_notice(&dashboard->ui, STYLE_CAUTION,
		r == -EPERM ? "read-only: nothing can be started or stopped"
			    : "still at work on the last one");
}

void proxy_screen_report_interrupted(struct proxy_screen *screen)
{
	if (!launcher_busy(screen->launcher))
		return;
	launcher_interrupt(screen->launcher);
	log_result(screen);
	printf("%s: %s: %s\n", launch_kind_name(screen->launch->kind),
		launch_result_name(screen->launch->result), screen->launch->detail);
}

void proxy_screen_free(struct proxy_screen *screen)
{
	if (!screen)
		return;
	screen->dashboard->ui.launch = NULL;
	launcher_free(screen->launcher);
	launch_free(screen->launch);
	free(screen);
}
