/* The commands that open screens, and those that concern the program. */
#include "dashboard/commands.h"

#include "dashboard/dashboard.h"
#include "dashboard/player.h"
#include "dashboard/themes.h"
#include "dashboard/watch_screen.h"
#include "model/assessment.h"
#include "target/target.h"
#include "tui/tui.h"
#include "view/details.h"
#include "view/locks.h"

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

void command_locks(struct dashboard *dashboard)
{
	if (dashboard->player) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, "a recording holds no locks");
		return;
	}
	ui_push(&dashboard->ui, SCREEN_LOCKS);
}

void command_lock_details(struct dashboard *dashboard)
{
	const struct connection *connection =
		locks_at(target_assessment(dashboard->target), dashboard->ui.cursor);
	if (connection)
		details_open(&dashboard->details, &dashboard->ui, connection);
}

void command_copy(struct dashboard *dashboard)
{
	const struct connection *connection = current(dashboard);
	if (!connection || !connection->backend->query) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, "no statement here to copy");
		return;
	}
	tui_copy(dashboard->tui, connection->backend->query);
	ui_notice(&dashboard->ui, STYLE_GOOD, "copied, if the terminal allows it (OSC 52)");
}

void command_theme(struct dashboard *dashboard)
{
	themes_next(dashboard);
}

void command_help(struct dashboard *dashboard)
{
	if (ui_current_screen(&dashboard->ui) != SCREEN_HELP)
		ui_push(&dashboard->ui, SCREEN_HELP);
}

/* Esc closes the screen on top, then the filter, then removes the tags. */
void command_back(struct dashboard *dashboard)
{
	/* Esc answers the guard's question on the plan's screen. */
	if (ui_current_screen(&dashboard->ui) == SCREEN_PLAN)
		ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	if (ui_current_screen(&dashboard->ui) != SCREEN_MAIN)
		ui_pop(&dashboard->ui);
	else
		ui_filter_clear(&dashboard->ui);
}

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

/* The pid of the process under the cursor: of a connection, or of a group; 0 if there is none. */
static int32_t current_process(const struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	const struct rows *rows = &dashboard->ui.rows;
	if (dashboard->ui.row >= rows->n_rows)
		return 0;
	const struct row *row = &rows->rows[dashboard->ui.row];
	const struct group *group = &rows->groups[row->group];
	uint32_t process = group->kind == GROUP_PROCESS ? group->process : NO_PROCESS;
	if (row->member != ROW_HEADER) {
		uint32_t index = rows->members[row->member].connection;
		if (index < assessment->n_connections)
			process = assessment->connections[index].process;
	}
	return process < assessment->n_processes && assessment->processes[process].alive
		? assessment->processes[process].process.pid
		: 0;
}

/* For the process that is watched already, it opens the screen again. */
void command_watch(struct dashboard *dashboard)
{
	int32_t pid = current_process(dashboard);
	bool busy = watch_screen_is_busy(dashboard->watch);
	if (dashboard->player)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "a recording: what it shows is over");
	else if (watch_screen_pid(dashboard->watch) &&
		(!pid || (busy && pid == watch_screen_pid(dashboard->watch))))
		ui_push(&dashboard->ui, SCREEN_WATCH);
	else if (!pid || watch_screen_arm(dashboard->watch, pid) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"there is no process of this machine here to watch");
}

void command_watch_again(struct dashboard *dashboard)
{
	if (watch_screen_arm(dashboard->watch, watch_screen_pid(dashboard->watch)) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "it has ended");
}

void command_interrupt(struct dashboard *dashboard)
{
	if (!dashboard_asks_to_leave(dashboard))
		command_quit(dashboard);
}

/* Answers the question whether to quit with yes. */
void command_leave(struct dashboard *dashboard)
{
	dashboard_leave(dashboard, 0);
}
