/* The commands that open screens, and those that concern the program. */
#include "dashboard/commands.h"

#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/player.h"
#include "dashboard/screen.h"
#include "dashboard/themes.h"
#include "model/assessment.h"
#include "target/target.h"
#include "tui/tui.h"
#include "view/details.h"
#include "view/help.h"

/* The connection under the cursor, regardless of tags; NULL on a group. */
static const struct connection *current(const struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	const struct rows *rows = &dashboard->ui.rows;
	if (dashboard->ui.row >= rows->n_rows)
		return NULL;
	uint32_t member = rows->rows[dashboard->ui.row].member;
	if (member == ROW_HEADER)
		return NULL;
	/* The rows are those of the last frame, which shows this assessment. */
	uint32_t index = rows->members[member].connection;
	return index < assessment->n_connections ? &assessment->connections[index] : NULL;
}

void command_enter(struct dashboard *dashboard)
{
	const struct connection *connection = current(dashboard);
	if (!connection) {
		ui_toggle_fold(&dashboard->ui);
		return;
	}
	details_open(&dashboard->details, &dashboard->ui, connection);
}

void command_copy(struct dashboard *dashboard)
{
	const struct connection *connection = current(dashboard);
	if (!connection || !connection->backend->query) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, "no statement here to copy");
		return;
	}
	tui_copy(dashboard->display->tui, connection->backend->query);
	ui_notice(&dashboard->ui, STYLE_GOOD, "copied, if the terminal allows it (OSC 52)");
}

void command_theme(struct dashboard *dashboard)
{
	themes_next(dashboard);
}

void command_help(struct dashboard *dashboard)
{
	if (ui_top(&dashboard->ui) != &help_view)
		ui_push(&dashboard->ui, &help_view);
}

void command_overview(struct dashboard *dashboard)
{
	if (dashboard->player)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "a recording has one server");
	else
		dashboard->display->wanted = DISPLAY_OVERVIEW;
}

/* Esc closes the screen on top, then the filter and the marks of its matches, then goes back to the
 * overview if the run began with it. */
void command_back(struct dashboard *dashboard)
{
	struct ui_state *ui = &dashboard->ui;
	if (ui_top(ui))
		ui_pop(ui);
	else if (ui->filter.n_terms || ui->searching || !dashboard->display->returns)
		ui_filter_clear(ui);
	else
		dashboard->display->wanted = DISPLAY_OVERVIEW;
}

const struct binding close_keys[] = {
	{ command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close", NULL, true },
	{ 0 },
};

void command_quit(struct dashboard *dashboard)
{
	dashboard_leave(dashboard, 0);
}

void command_suspend(struct dashboard *dashboard)
{
	dashboard_suspend(dashboard);
}

void command_redraw(struct dashboard *dashboard)
{
	dashboard_redraw(dashboard);
}
