/* The steps of --emergency, shown on the screen while they run. */
#include "dashboard/emergency_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "action/audit.h"
#include "action/losses.h"
#include "action/rescue.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/dashboard.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "modes/app.h"
#include "modes/emergency_mode.h"
#include "modes/log.h"
#include "modes/survey.h"
#include "report/rescue_report.h"

struct emergency_page {
	struct dashboard *dashboard;
	struct survey *survey;
	struct rescue *rescue;
	struct losses *losses;       /* of the sessions to be ended */
	struct emergency *emergency; /* NULL while it is assessed */
	bool planning;               /* the next assessment becomes the plan */
};

static void show(struct emergency_page *page, struct emergency *emergency)
{
	losses_forget(page->losses);
	emergency_free(page->emergency);
	page->emergency = emergency;
	page->dashboard->ui.emergency = emergency;
	ui_ask_anew(&page->dashboard->ui);
	/* If the query for lock impact cannot be sent, the plan is shown without it. */
	if (emergency && emergency->connected)
		(void)!losses_ask(page->losses, emergency->held);
	page->dashboard->dirty = true;
}

static void on_surveyed(
	void *data, struct emergency *emergency, const struct assessment *assessment)
{
	struct emergency_page *page = data;
	if (rescue_busy(page->rescue)) {
		rescue_surveyed(page->rescue, emergency, assessment);
		emergency_free(emergency);
	} else if (page->planning) {
		page->planning = false;
		show(page, emergency);
	} else {
		emergency_free(emergency);
	}
}

static void ask_survey(void *data)
{
	struct emergency_page *page = data;
	survey_begin(page->survey);
}

static void on_progress(void *data, const struct emergency_process *process)
{
	struct emergency_page *page = data;
	page->dashboard->dirty = true;
	if (process)
		log_write(page->dashboard->app->log, "emergency: process %d: %s", process->pid,
			process->result == RESULT_PENDING ? emergency_signal_name(process->signal)
							  : action_result_name(process->result));
}

static void on_done(void *data)
{
	struct emergency_page *page = data;
	const char *error = audit_error(page->dashboard->audit);
	if (error)
		ui_notice(&page->dashboard->ui, STYLE_CAUTION, error);
	target_refresh(page->dashboard->target);
	page->dashboard->dirty = true;
}

static void on_losses(void *data)
{
	struct emergency_page *page = data;
	page->dashboard->dirty = true;
}

struct emergency_page *emergency_page_new(struct dashboard *dashboard)
{
	struct emergency_page *page = mem_alloc(sizeof(*page));
	struct app *app = dashboard->app;
	page->dashboard = dashboard;
	page->survey = survey_new(app, dashboard->target, on_surveyed, page);
	const struct rescue_options options = {
		.readonly = app->config->readonly,
		.proc_root = "/proc",
		.audit = dashboard->audit,
		.applications = &app->config->emergency.applications,
	};
	const struct rescue_callbacks callbacks = {
		.data = page,
		.survey = ask_survey,
		.progress = on_progress,
		.done = on_done,
	};
	page->losses = losses_new(target_session(dashboard->target),
		&(struct losses_callbacks){ .data = page, .arrived = on_losses });
	page->rescue =
		rescue_new(&app->loop, target_session(dashboard->target), &options, &callbacks);
	return page;
}

void emergency_page_open(struct emergency_page *page)
{
	struct dashboard *dashboard = page->dashboard;
	/* While the dashboard is paused no assessment arrives. */
	if (dashboard->ui.paused) {
		ui_toggle_pause(&dashboard->ui);
		target_pause(dashboard->target, false);
	}
	show(page, NULL);
	page->planning = true;
	ui_word_begin(&dashboard->ui, EMERGENCY_WORD);
	ui_push(&dashboard->ui, PAGE_EMERGENCY);
	survey_begin(page->survey);
}

static bool has_targets(const struct emergency *emergency)
{
	return emergency && (emergency_count_stopped(emergency) || emergency->gone->n_targets);
}

void emergency_page_confirm(struct emergency_page *page)
{
	struct dashboard *dashboard = page->dashboard;
	if (!has_targets(page->emergency)) {
		ui_pop(&dashboard->ui);
		return;
	}
	if (!ui_word_is_right(&dashboard->ui) || rescue_busy(page->rescue))
		return;
	/* In readonly mode the screen does not open; the rescue would also refuse. */
	int r = rescue_run(page->rescue, page->emergency);
	if (r == -ENOTSUP)
		ui_notice(&dashboard->ui, STYLE_CAUTION, POOLER_REASON);
	if (r == -EIO) {
		page->emergency->unaudited = true;
		dashboard_ask_unaudited(dashboard);
	}
	if (r < 0)
		return;
	guard_note(&dashboard->ended, emergency_count_connections(page->emergency),
		instant_monotonic());
	ui_pop(&dashboard->ui);
	ui_push(&dashboard->ui, PAGE_EMERGENCY_RUN);
}

void emergency_page_assessed(struct emergency_page *page)
{
	if (page)
		survey_assessed(page->survey);
}

bool emergency_page_busy(const struct emergency_page *page)
{
	return page && rescue_busy(page->rescue);
}

static void print_interrupted(struct emergency_page *page)
{
	const struct printer_style style = printer_style_for(stdout);
	rescue_interrupt(page->rescue);
	/* The terminal may be gone; then writing fails, and that is ignored. */
	(void)!rescue_report_text(page->emergency, &style, stdout);
}

void emergency_page_free(struct emergency_page *page)
{
	if (!page)
		return;
	if (rescue_busy(page->rescue))
		print_interrupted(page);
	rescue_free(page->rescue);
	survey_free(page->survey);
	losses_free(page->losses);
	emergency_free(page->emergency);
	free(page);
}
