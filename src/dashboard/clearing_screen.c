/* Connects the screen with the code that removes the files. */
#include "dashboard/clearing_screen.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "action/audit.h"
#include "action/clear.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/dashboard.h"
#include "model/assessment.h"
#include "model/clearing.h"
#include "modes/app.h"
#include "modes/log.h"

struct clearing_screen {
	struct dashboard *dashboard;
	struct clearer *clearer;
	struct clearing *clearing; /* planned, running or done; NULL */
};

static void on_done(void *data)
{
	struct clearing_screen *screen = data;
	struct dashboard *dashboard = screen->dashboard;
	const char *error = audit_error(dashboard->audit);
	for (size_t i = 0; i < screen->clearing->n_pages; i++)
		log_write(dashboard->app->log, "clear_pages: %s: %s",
			screen->clearing->pages[i].path,
			clearing_result_name(screen->clearing->pages[i].result));
	if (error)
		ui_notice(&dashboard->ui, STYLE_CAUTION, error);
	target_refresh(dashboard->target);
	dashboard->dirty = true;
}

struct clearing_screen *clearing_screen_new(struct dashboard *dashboard)
{
	struct clearing_screen *screen = mem_alloc(sizeof(*screen));
	const struct clear_options options = {
		.readonly = dashboard->app->config->readonly,
		.audit = dashboard->audit,
		.data = screen,
		.done = on_done,
	};
	*screen = (struct clearing_screen){ .dashboard = dashboard };
	screen->clearer = clear_new(&dashboard->app->loop, &options);
	return screen;
}

/* The reason why there is no plan. */
static const char *refusal(const struct clearing_screen *screen)
{
	if (screen->dashboard->player)
		return "a recording: what it shows is over, and nothing can be removed";
	if (screen->dashboard->app->config->readonly)
		return "read-only: nothing can be removed";
	if (clear_busy(screen->clearer))
		return "still at work on the last ones";
	return NULL;
}

static const char *nothing(const struct assessment *assessment)
{
	size_t spent;
	char text[POOL_FOLDED_MAX];
	pool_folded(assessment->pools, assessment->n_pools, &spent, text);
	return spent ? "the pages of dead processes are another user's, or not of --app"
		     : "no dead process has left but its page";
}

void clearing_screen_plan(struct clearing_screen *screen)
{
	struct dashboard *dashboard = screen->dashboard;
	const struct assessment *assessment = target_assessment(dashboard->target);
	const char *why = refusal(screen);
	struct clearing *clearing =
		why ? NULL : clear_plan(assessment, &dashboard->app->rules, geteuid());
	if (clearing && clearing->n_pages == 0)
		why = nothing(assessment);
	if (why) {
		clearing_free(clearing);
		ui_notice(&dashboard->ui, STYLE_CAUTION, why);
		return;
	}
	clearing_free(screen->clearing);
	screen->clearing = clearing;
	dashboard->ui.clearing = clearing;
	ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	ui_push(&dashboard->ui, SCREEN_CLEAR);
}

void clearing_screen_confirm(struct clearing_screen *screen)
{
	struct dashboard *dashboard = screen->dashboard;
	int r = clear_run(screen->clearer, screen->clearing);
	if (r == -EIO) {
		screen->clearing->unaudited = true;
		dashboard_ask_unaudited(dashboard);
		return;
	}
	ui_pop(&dashboard->ui);
	if (r == 0)
		ui_push(&dashboard->ui, SCREEN_CLEAR_RUN);
	else
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			r == -EPERM ? "read-only: nothing can be removed"
				    : "still at work on the last ones");
}

void clearing_screen_free(struct clearing_screen *screen)
{
	if (!screen)
		return;
	screen->dashboard->ui.clearing = NULL;
	clear_free(screen->clearer);
	clearing_free(screen->clearing);
	free(screen);
}
