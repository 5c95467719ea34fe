/* What one server's dashboard is made of, and what its action reports. */
#include "dashboard/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "action/lock_impact.h"
#include "action/runner.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/emergency_screen.h"
#include "dashboard/password.h"
#include "dashboard/player.h"
#include "dashboard/screens.h"
#include "dashboard/watch_screen.h"
#include "model/action.h"
#include "modes/app.h"
#include "modes/autostart.h"
#include "modes/log.h"
#include "modes/run.h"
#include "report/result.h"
#include "target/target.h"
#include "view/overview_view.h"

static const char tour[] = "demo: seven leak within seconds; k ends them, Enter says why";

/* The key m shows it, too. */
static void on_proxy_started(void *data, const char *text)
{
	struct dashboard *dashboard = data;
	log_write(dashboard->app->log, "%s", text);
	ui_notice(&dashboard->ui, STYLE_CAUTION, text);
	dashboard->dirty = true;
}

static void on_progress(void *data, const struct action_step *step)
{
	(void)step;
	struct dashboard *dashboard = data;
	dashboard->dirty = true;
}

static void on_lock_impact(void *data)
{
	struct dashboard *dashboard = data;
	dashboard->dirty = true;
}

static void log_step(struct log *log, const struct action *plan, const struct action_step *step)
{
	const char *name = action_kind_name(plan->kind), *result = action_result_name(step->result);
	const char *detail = step->detail ? step->detail : "";
	switch (step->kind) {
	case STEP_SESSION: log_write(log, "%s: backend %d: %s", name, step->pid, result); break;
	case STEP_PAGE: log_write(log, "%s: %s: %s", name, step->page.path, result); break;
	case STEP_PROCESS:
	case STEP_COMMAND:
		log_write(log, "%s: %s%s%s", name, result, *detail ? ": " : "", detail);
		break;
	}
}

static void log_results(struct dashboard *dashboard)
{
	const struct action *plan = dashboard->plan;
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected)
			log_step(dashboard->app->log, plan, &plan->steps[i]);
}

static void on_done(void *data)
{
	struct dashboard *dashboard = data;
	const char *error = audit_error(dashboard->audit);
	log_results(dashboard);
	if (error)
		ui_notice(&dashboard->ui, STYLE_CAUTION, error);
	target_refresh(dashboard->target);
	target_refresh_proxy(dashboard->target);
	dashboard->dirty = true;
}

static struct dashboard *new_dashboard(struct display *display)
{
	struct dashboard *dashboard = mem_alloc(sizeof(*dashboard));
	const struct config *config = display->app->config;
	dashboard->display = display;
	dashboard->app = display->app;
	dashboard->audit = run_audit(display->run);
	ui_init(&dashboard->ui, display->keys, display->n_keys);
	dashboard->ui.readonly = config->readonly;
	dashboard->ui.ascii = display->grid.ascii;
	dashboard->dirty = true;
	return dashboard;
}

static void add_actions(struct dashboard *dashboard)
{
	struct app *app = dashboard->app;
	struct session *session = target_session(dashboard->target);
	const struct runner_options runner = {
		.readonly = app->config->readonly,
		.deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = dashboard->audit,
	};
	dashboard->runner = runner_new(&app->loop, session, &runner,
		&(struct runner_callbacks){ dashboard, on_progress, on_done });
	/* a recording says nothing about the proxy of now, and the demo has none */
	if (app->options.mode != MODE_REPLAY && app->options.mode != MODE_DEMO)
		dashboard->autostart = autostart_new(app, &app->loop, session, dashboard->audit,
			&(struct autostart_callbacks){ dashboard, on_proxy_started });
	dashboard->lock_impact = lock_impact_new(session,
		&(struct lock_impact_callbacks){ .data = dashboard, .arrived = on_lock_impact });
}

struct dashboard *server_open(struct display *display, size_t server)
{
	struct dashboard *dashboard = new_dashboard(display);
	const struct app *app = display->app;
	const struct config_list *columns = &app->config->columns;
	ui_set_columns(&dashboard->ui, columns->items, columns->count);
	dashboard->ui.proxy_start = app->proxy_start;
	if (app->options.mode == MODE_DEMO)
		dashboard->ui.tour = tour;
	dashboard->target = run_server(display->run, server);
	add_actions(dashboard);
	dashboard->password = password_new();
	dashboard->emergency = emergency_screen_new(dashboard);
	dashboard->watch = watch_screen_new(dashboard);
	return dashboard;
}

struct dashboard *server_open_overview(struct display *display)
{
	struct dashboard *dashboard = new_dashboard(display);
	overview_init(&display->overview, display->rows, display->n_servers);
	dashboard->ui.overview = &display->overview;
	ui_push(&dashboard->ui, &overview_view);
	return dashboard;
}

void server_assessed(struct dashboard *dashboard)
{
	autostart_update(dashboard->autostart, target_assessment(dashboard->target));
	screens_assessed(dashboard);
	dashboard->dirty = true;
}

static void report_interrupted(struct dashboard *dashboard)
{
	if (!dashboard->runner || !runner_busy(dashboard->runner))
		return;
	const struct printer_style style = printer_style_for(stdout);
	runner_interrupt(dashboard->runner);
	log_results(dashboard);
	const char *error = audit_error(dashboard->audit);
	if (error)
		fprintf(stderr, "dbtop: %s\n", error);
	(void)!result_print_text(dashboard->plan, &style, stdout);
}

void server_close(struct dashboard *dashboard)
{
	if (!dashboard)
		return;
	report_interrupted(dashboard);
	emergency_screen_free(dashboard->emergency);
	watch_screen_free(dashboard->watch);
	password_free(dashboard->password);
	player_free(dashboard->player);
	lock_impact_free(dashboard->lock_impact);
	autostart_free(dashboard->autostart);
	runner_free(dashboard->runner);
	action_free(dashboard->plan);
	ui_deinit(&dashboard->ui);
	details_deinit(&dashboard->details);
	log_view_deinit(&dashboard->log);
	free(dashboard);
}
