/* Connects the screen with the launcher. */
#include "dashboard/proxy_page.h"

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

struct proxy_page {
	struct dashboard *dashboard;
	struct launcher *launcher;
	struct launch *launch; /* planned, running or done; NULL */
};

static void log_result(const struct proxy_page *page)
{
	const struct launch *launch = page->launch;
	log_write(page->dashboard->app->log, "%s: %s%s%s", launch_kind_name(launch->kind),
		launch_result_name(launch->result), launch->detail ? ": " : "",
		launch->detail ? launch->detail : "");
}

static void on_changed(void *data)
{
	struct proxy_page *page = data;
	struct dashboard *dashboard = page->dashboard;
	const struct launch *launch = page->launch;
	const char *error = audit_error(dashboard->audit);
	dashboard->dirty = true;
	if (launch->phase != LAUNCH_DONE)
		return;
	/* begins a scan at once */
	target_watch_proxy(dashboard->target, false);
	target_watch_proxy(dashboard->target, true);
	if (error)
		ui_notice(&dashboard->ui, STYLE_CAUTION, error);
	log_result(page);
}

struct proxy_page *proxy_page_new(struct dashboard *dashboard)
{
	struct proxy_page *page = mem_alloc(sizeof(*page));
	const struct launcher_options options = {
		.readonly = dashboard->app->config->readonly,
		.audit = dashboard->audit,
		.data = page,
		.changed = on_changed,
	};
	page->dashboard = dashboard;
	page->launcher = launcher_new(&dashboard->app->loop, &options);
	return page;
}

/* The output's file, in the folder of the audit log, which exists because the audit is written
 * first. The caller frees the path. */
static char *output_path(void)
{
	CLEANUP(cleanup_free) char *audit = audit_default_path();
	char *slash = audit ? strrchr(audit, '/') : NULL;
	return slash ? mem_printf("%.*s/proxy.log", (int)(slash - audit), audit) : NULL;
}

static const char *refusal(const struct proxy_page *page, enum launch_kind kind)
{
	const struct config *config = page->dashboard->app->config;
	if (page->dashboard->player)
		return "a recording: nothing can be started or stopped";
	if (config->readonly)
		return "read-only: nothing can be started or stopped";
	if (launcher_busy(page->launcher))
		return "still at work on the last one";
	return launch_refusal(
		kind, target_assessment(page->dashboard->target)->proxy, config->proxy.start.count);
}

bool proxy_page_can(const struct proxy_page *page, enum launch_kind kind)
{
	return page && !refusal(page, kind);
}

void proxy_page_plan(struct proxy_page *page, enum launch_kind kind)
{
	struct dashboard *dashboard = page->dashboard;
	const struct config_list *start = &dashboard->app->config->proxy.start;
	const char *why = refusal(page, kind);
	if (why) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, why);
		return;
	}
	CLEANUP(cleanup_free) char *output = output_path();
	launch_free(page->launch);
	page->launch = launch_new(kind, target_assessment(dashboard->target)->proxy, start->items,
		start->count, output);
	dashboard->ui.launch = page->launch;
	ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	ui_push(&dashboard->ui, PAGE_LAUNCH);
}

void proxy_page_confirm(struct proxy_page *page)
{
	struct dashboard *dashboard = page->dashboard;
	int r = launcher_run(page->launcher, page->launch);
	if (r == -EIO) {
		page->launch->unaudited = true;
		dashboard_ask_unaudited(dashboard);
		return;
	}
	ui_pop(&dashboard->ui);
	if (r == 0) {
		ui_push(&dashboard->ui, PAGE_LAUNCH_RUN);
		return;
	}
	ui_notice(&dashboard->ui, STYLE_CAUTION,
		r == -EPERM ? "read-only: nothing can be started or stopped"
			    : "still at work on the last one");
}

void proxy_page_report_interrupted(struct proxy_page *page)
{
	if (!launcher_busy(page->launcher))
		return;
	launcher_interrupt(page->launcher);
	log_result(page);
	printf("%s: %s: %s\n", launch_kind_name(page->launch->kind),
		launch_result_name(page->launch->result), page->launch->detail);
}

void proxy_page_free(struct proxy_page *page)
{
	if (!page)
		return;
	page->dashboard->ui.launch = NULL;
	launcher_free(page->launcher);
	launch_free(page->launch);
	free(page);
}
