/* The overview of all servers. It acts on none of them: a person opens one first. */
#include "view/overview_view.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/screen.h"
#include "widgets/grid.h"

static void open_server(struct dashboard *dashboard)
{
	struct display *display = dashboard->display;
	size_t row = overview_current(&display->overview, &dashboard->ui);
	if (row == SIZE_MAX)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "there is no server here");
	else
		display->wanted = row;
}

/* Back to the server that was shown before. */
static void go_back(struct dashboard *dashboard)
{
	if (dashboard->display->last == DISPLAY_NOTHING)
		ui_notice(
			&dashboard->ui, STYLE_CAUTION, "no server was opened yet: Enter opens one");
	else
		dashboard->display->wanted = dashboard->display->last;
}

/* Clears the filter; then, if a server's table was left for the overview by D alone, goes back to
 * it. */
static void back(struct dashboard *dashboard)
{
	if (dashboard->ui.filter.n_terms)
		ui_filter_clear(&dashboard->ui);
	else if (!dashboard->display->returns)
		go_back(dashboard);
}

static void sort(struct dashboard *dashboard)
{
	overview_next_sort(&dashboard->display->overview, &dashboard->ui);
}

static void reverse(struct dashboard *dashboard)
{
	overview_toggle_reverse(&dashboard->display->overview);
}

static void refuse(struct dashboard *dashboard)
{
	ui_notice(&dashboard->ui, STYLE_CAUTION, "open a server with Enter first");
}

static const struct binding keys[] = {
	{ open_server, { KEY(ENTER) }, "Enter", "open", "open the server", true, KEY_EVER,
		HELP_LOOK },
	{ command_filter, { CHAR('/') }, "/", "filter", "show what matches: name, place or status",
		true, KEY_EVER, HELP_TABLE },
	{ sort, { CHAR('s') }, "s", "sort", "sort by the next column", false, KEY_EVER,
		HELP_TABLE },
	{ reverse, { CHAR('S') }, "S", NULL, "sort the other way round", false, KEY_EVER,
		HELP_TABLE },
	{ go_back, { CHAR('D') }, "D", NULL, "back to the server that was opened last", false,
		KEY_EVER, HELP_LOOK },
	{ command_actions_log, { CHAR('a') }, "a", NULL, "actions: what was ended, and the outcome",
		false, KEY_EVER, HELP_LOOK },
	{ command_messages, { CHAR('m') }, "m", NULL, "messages: dbtop's own log", false, KEY_EVER,
		HELP_LOOK },
	{ command_pause, { CHAR('p') }, "p", "pause", "pause all; press again to go on", false,
		KEY_EVER, HELP_SCREEN },
	{ command_refresh_less, { CHAR('+') }, "+ -", NULL, "refresh less, more often", false,
		KEY_EVER, HELP_SCREEN },
	{ command_refresh_more, { CHAR('-') }, "-", NULL, NULL, false },
	{ back, { KEY(ESCAPE) }, "Esc", NULL, NULL, false },
	{ refuse, { CHAR('k'), CHAR('K'), CHAR('c'), CHAR('E'), CHAR('w'), CHAR('X') }, "k", NULL,
		NULL, false },
	{ refuse, { CHAR(' '), CHAR('u'), CHAR('l'), CHAR('P'), CHAR('W'), CHAR('y') }, "Space",
		NULL, NULL, false },
	{ 0 },
};

static void settle(struct dashboard *dashboard)
{
	overview_settle(&dashboard->display->overview, &dashboard->ui);
}

static bool takes_text(const struct dashboard *dashboard)
{
	return dashboard->ui.filter_editing;
}

/* The first click selects the row, a second one opens it. */
static void click(struct dashboard *dashboard, struct hit hit)
{
	struct overview *overview = &dashboard->display->overview;
	if (hit.kind == HIT_COLUMN) {
		overview_sort_by(overview, (enum overview_column)hit.id);
	} else if (hit.kind == HIT_ROW && hit.id < overview->n_list) {
		if (dashboard->ui.cursor == hit.id)
			open_server(dashboard);
		else
			overview_select(overview, &dashboard->ui, overview->list[hit.id]);
	}
}

const struct screen overview_screen = {
	.view = &overview_view,
	.keys = keys,
	.settle = settle,
	.takes_text = takes_text,
	.press = command_type_filter,
	.click = click,
};
