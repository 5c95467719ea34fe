/* The commands that move in the table of connections, and that order it. */
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "target/target.h"
#include "tui/input.h"
#include "widgets/group.h"
#include "widgets/search.h"

void command_up(struct dashboard *dashboard)
{
	ui_move(&dashboard->ui, -1);
}

void command_down(struct dashboard *dashboard)
{
	ui_move(&dashboard->ui, 1);
}

void command_page_up(struct dashboard *dashboard)
{
	ui_page(&dashboard->ui, -1);
}

void command_page_down(struct dashboard *dashboard)
{
	ui_page(&dashboard->ui, 1);
}

void command_home(struct dashboard *dashboard)
{
	ui_home(&dashboard->ui);
}

void command_end(struct dashboard *dashboard)
{
	ui_end(&dashboard->ui);
}

void command_tag(struct dashboard *dashboard)
{
	ui_toggle_tag(&dashboard->ui);
}

void command_untag(struct dashboard *dashboard)
{
	ui_untag_all(&dashboard->ui);
}

void command_pan_right(struct dashboard *dashboard)
{
	ui_pan(&dashboard->ui, 1);
}

void command_pan_left(struct dashboard *dashboard)
{
	ui_pan(&dashboard->ui, -1);
}

/* Without groups there is nothing to fold, so the arrow moves the columns. */
void command_fold(struct dashboard *dashboard)
{
	if (dashboard->ui.grouping == GROUPING_FLAT)
		ui_pan(&dashboard->ui, -1);
	else
		ui_set_folded(&dashboard->ui, true);
}

void command_unfold(struct dashboard *dashboard)
{
	if (dashboard->ui.grouping == GROUPING_FLAT)
		ui_pan(&dashboard->ui, 1);
	else
		ui_set_folded(&dashboard->ui, false);
}

void command_find_next(struct dashboard *dashboard)
{
	search_go(&dashboard->ui, target_assessment(dashboard->target), 1);
}

void command_find_previous(struct dashboard *dashboard)
{
	search_go(&dashboard->ui, target_assessment(dashboard->target), -1);
}

void command_follow(struct dashboard *dashboard)
{
	search_toggle_follow(&dashboard->ui);
}

void command_filter(struct dashboard *dashboard)
{
	ui_filter_begin(&dashboard->ui);
}

/* All keys are text except these. */
bool command_type_filter(struct dashboard *dashboard, const struct key_event *event)
{
	struct ui_state *ui = &dashboard->ui;
	switch (event->key) {
	case INPUT_CHAR: ui_filter_type(ui, event->c); break;
	case INPUT_CTRL:
		if (event->c == 'c')
			return false;
		if (event->c == 'w' || event->c == 'u')
			ui_filter_erase_word(ui);
		break;
	case INPUT_BACKSPACE:
	case INPUT_DELETE: ui_filter_erase(ui); break;
	case INPUT_ENTER: ui_filter_keep(ui); break;
	case INPUT_ESCAPE: ui_filter_clear(ui); break;
	case INPUT_UP: ui_move(ui, -1); break;
	case INPUT_DOWN: ui_move(ui, 1); break;
	default: break;
	}
	return true;
}

void command_sort(struct dashboard *dashboard)
{
	ui_next_sort(&dashboard->ui);
}

void command_reverse(struct dashboard *dashboard)
{
	ui_toggle_reverse(&dashboard->ui);
}

static const char *const groupings[] = {
	[GROUPING_PROCESS] = "grouped by process",
	[GROUPING_APPLICATION] = "grouped by application",
	[GROUPING_USER] = "grouped by user",
	[GROUPING_CLIENT] = "grouped by client address",
	[GROUPING_HOST] = "grouped by host",
	[GROUPING_CONTAINER] = "grouped by container",
	[GROUPING_DATABASE] = "grouped by database",
	[GROUPING_POOL] = "grouped by pool",
	[GROUPING_FLAT] = "not grouped",
};

void command_group(struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	do
		ui_next_grouping(&dashboard->ui);
	while (!group_is_useful(assessment, dashboard->ui.grouping));
	ui_notice(&dashboard->ui, STYLE_DIM, groupings[dashboard->ui.grouping]);
}
