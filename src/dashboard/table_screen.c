/* The table of connections: the screen that is always open. A narrow bar shows the keys for an
 * emergency, and loses the others from the last one on. */
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"

static const struct binding keys[] = {
	{ command_play, { CHAR('p') }, "p", "play/stop", "play the recording, or stop", true,
		KEY_REPLAY, HELP_REPLAY },
	{ command_step_on, { CHAR('.') }, ".", "next", "the next snapshot", true, KEY_REPLAY,
		HELP_REPLAY },
	{ command_step_back, { CHAR(',') }, ",", "back", "the one before", true, KEY_REPLAY,
		HELP_REPLAY },
	{ command_seek_on, { CHAR(']') }, "]", "+1 min", "a minute forward", false, KEY_REPLAY,
		HELP_REPLAY },
	{ command_seek_back, { CHAR('[') }, "[", "-1 min", "a minute back", false, KEY_REPLAY,
		HELP_REPLAY },
	{ command_to_start, { CHAR('{') }, "{", NULL, "to the recording's beginning", false,
		KEY_REPLAY, HELP_REPLAY },
	{ command_to_end, { CHAR('}') }, "}", NULL, "to its end", false, KEY_REPLAY, HELP_REPLAY },
	{ command_play_faster, { CHAR('+') }, "+", NULL, "play faster", false, KEY_REPLAY,
		HELP_REPLAY },
	{ command_play_slower, { CHAR('-') }, "-", NULL, "play slower", false, KEY_REPLAY,
		HELP_REPLAY },
	{ command_kill_leaked, { CHAR('k') }, "k", "kill # leaked",
		"end the leaked; shows the plan first", true, KEY_LIVE, HELP_ACT },
	{ command_terminate, { CHAR('K') }, "K", "kill", "end the tagged, or the selected one",
		false, KEY_LIVE, HELP_ACT },
	{ command_cancel, { CHAR('c') }, "c", "cancel", "cancel their statements", false, KEY_LIVE,
		HELP_ACT },
	{ command_emergency, { CHAR('E') }, "E", "emergency",
		"stop the row's process, or all; shows who first", true, KEY_LIVE, HELP_ACT },
	{ command_proxy, { CHAR('P') }, "P", NULL, "the local proxy; start or restart it", false,
		KEY_LIVE, HELP_LOOK },
	{ command_proxy, { CHAR('P') }, "P", NULL, "the local proxy, as it was", false, KEY_REPLAY,
		HELP_LOOK },
	{ command_locks, { CHAR('l') }, "l", "locks", "locks: who blocks whom", false, KEY_LIVE,
		HELP_LOOK },
	{ command_overview, { CHAR('D') }, "D", "servers", NULL, false, KEY_SEVERAL, HELP_LOOK },
	{ command_overview, { CHAR('D') }, "D", NULL, "all servers: the overview", false, KEY_LIVE,
		HELP_LOOK },
	{ command_clear_pages, { CHAR('X') }, "X", NULL, "remove the stats pages of dead processes",
		false, KEY_LIVE, HELP_ACT },
	{ command_watch, { CHAR('w') }, "w", "watch",
		"watch this process shut down; a verdict follows", false, KEY_LIVE, HELP_LOOK },
	{ command_filter, { CHAR('/') }, "/", "filter",
		"show what matches: text, field:text, !text", true, KEY_EVER, HELP_TABLE },
	{ command_sort, { CHAR('s') }, "s", "sort", "sort by the next column", false, KEY_EVER,
		HELP_TABLE },
	{ command_reverse, { CHAR('S') }, "S", NULL, "sort the other way round", false, KEY_EVER,
		HELP_TABLE },
	{ command_group, { CHAR('g') }, "g", "group", "group by process, application, database, …",
		false, KEY_EVER, HELP_TABLE },
	{ command_pause, { CHAR('p') }, "p", "pause", "pause; press again to go on", false,
		KEY_LIVE, HELP_SCREEN },
	{ command_tag, { CHAR(' ') }, "Space", NULL, "tag for K and c", false, KEY_LIVE, HELP_ACT },
	{ command_untag, { CHAR('u') }, "u", NULL, "untag all", false, KEY_LIVE, HELP_ACT },
	{ command_enter, { KEY(ENTER) }, "Enter", NULL, "details of a connection; fold a group",
		false, KEY_EVER, HELP_LOOK },
	{ command_fold, { KEY(LEFT) }, "← →", NULL, "fold the group, unfold it", false, KEY_EVER,
		HELP_TABLE },
	{ command_unfold, { KEY(RIGHT) }, "→", NULL, NULL, false, KEY_EVER, HELP_TABLE },
	{ command_pan_right, { CHAR('L'), KEY(SHIFT_RIGHT) }, "L Shift-→", NULL,
		"the columns beyond the right edge", false, KEY_EVER, HELP_TABLE },
	{ command_pan_left, { CHAR('H'), KEY(SHIFT_LEFT) }, "H Shift-←", NULL,
		"back to the first columns", false, KEY_EVER, HELP_TABLE },
	{ command_find_next, { CHAR('n') }, "n", NULL, "the next match of the last filter", false,
		KEY_EVER, HELP_TABLE },
	{ command_find_previous, { CHAR('N') }, "N", NULL, "the one before", false, KEY_EVER,
		HELP_TABLE },
	{ command_follow, { CHAR('F') }, "F", NULL, "follow this connection until it ends", false,
		KEY_EVER, HELP_TABLE },
	{ command_password, { CHAR('W') }, "W", NULL, "type the password that the server asks for",
		false, KEY_LIVE, HELP_LOOK },
	{ command_actions_log, { CHAR('a') }, "a", NULL, "actions: what was ended, and the outcome",
		false, KEY_EVER, HELP_LOOK },
	{ command_messages, { CHAR('m') }, "m", NULL, "messages: dbtop's own log", false, KEY_EVER,
		HELP_LOOK },
	{ command_refresh_less, { CHAR('+') }, "+ -", NULL, "refresh less, more often", false,
		KEY_LIVE, HELP_SCREEN },
	{ command_refresh_more, { CHAR('-') }, "-", NULL, NULL, false, KEY_LIVE, HELP_SCREEN },
	{ command_copy, { CHAR('y') }, "y", NULL, "copy the statement", false, KEY_EVER,
		HELP_LOOK },
	{ 0 },
};

static bool takes_text(const struct dashboard *dashboard)
{
	return dashboard->ui.filter_editing;
}

/* The first click selects the row, a second one opens it. */
static void click_row(struct dashboard *dashboard, uint32_t row)
{
	struct ui_state *ui = &dashboard->ui;
	if (ui->row == row && row < ui->rows.n_rows)
		command_enter(dashboard);
	else
		ui_select(ui, row);
}

static void click(struct dashboard *dashboard, struct hit hit)
{
	if (hit.kind == HIT_ROW)
		click_row(dashboard, hit.id);
	else if (hit.kind == HIT_COLUMN)
		ui_sort_by(&dashboard->ui, (enum column_id)hit.id);
}

const struct screen table_screen = {
	.keys = keys,
	.takes_text = takes_text,
	.press = command_type_filter,
	.click = click,
};
