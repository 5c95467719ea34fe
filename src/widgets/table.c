/* Formats only the rows that are on the screen. */
#include "widgets/table.h"

#include <string.h>

#include "model/assessment.h"
#include "widgets/filter.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/group_line.h"
#include "widgets/line.h"
#include "widgets/search.h"
#include "widgets/settle.h"
#include "widgets/ui.h"

#define TAG_X  0
#define MARK_X 1

#define WITHOUT_COLUMNS 37 /* the column where details begin if only groups are shown */
#define PID_ROOM        7  /* room for the pid, with which a process's details begin */
#define DETAILED        60 /* on narrower screens a group's row has no details */

void table_draw_heading(const struct frame *frame, const struct layout *layout, int y)
{
	const struct ui_state *ui = frame->ui;
	for (size_t i = 0; i < layout->n_slots; i++) {
		const struct slot *slot = &layout->slots[i];
		const struct column *column = column_get(slot->id);
		struct line line;
		line_begin(&line);
		bool sorted = slot->id == ui->sort;
		line_add(&line, sorted ? STYLE_SORTED : STYLE_HEADING, column->title);
		if (column->right)
			line_put_right(frame->grid, slot->x, y, slot->width, &line);
		else
			line_put(frame->grid, slot->x, y, slot->width, &line);
		/* The arrow is in the gap, so that the title does not move. */
		if (sorted)
			grid_char(frame->grid,
				column->right ? slot->x + slot->width
					      : slot->x + line_width(frame->grid, &line),
				y, ui->reverse ? U'↑' : U'↓', STYLE_SORTED);
		grid_add_hit(frame->grid, (struct rect){ slot->x, y, slot->width, 1 }, HIT_COLUMN,
			slot->id);
	}
	if (layout->left)
		grid_char(frame->grid, LAYOUT_GUTTER - 1, y, U'‹', STYLE_HEADING);
	if (layout->right)
		grid_char(frame->grid, frame->grid->width - 1, y, U'›', STYLE_HEADING);
}

/* Underlines the matches of the filter. */
static void mark_matches(
	const struct frame *frame, enum column_id id, const struct line *line, struct rect cell)
{
	char head[LINE_BYTES];
	size_t length;
	long at = 0;
	const struct filter *filter = search_marked(frame->ui);
	while (filter && (at = filter_find(filter, id, line->text, (size_t)at, &length)) >= 0) {
		memcpy(head, line->text, (size_t)at + length);
		head[at + (long)length] = '\0';
		int end = grid_width(frame->grid, head);
		head[at] = '\0';
		int from = grid_width(frame->grid, head);
		if (from >= cell.width)
			return;
		if (end > cell.width)
			end = cell.width;
		grid_overlay(frame->grid, (struct rect){ cell.x + from, cell.y, end - from, 1 },
			OVERLAY_MATCH);
		at += (long)length;
	}
}

static void draw_cell(const struct frame *frame, const struct layout *layout,
	const struct slot *slot, const struct connection *connection, int y)
{
	struct line line;
	struct rect cell = { slot->x, y, slot->width, 1 };
	if (layout->blanks &&
		layout_group_shows(frame->assessment, connection, slot->id, frame->ui->grouping))
		return;
	column_format(slot->id, frame->assessment, connection, slot->narrow, &line);
	if (column_get(slot->id)->right) {
		int width = line_width(frame->grid, &line);
		if (width < cell.width) {
			cell.x += cell.width - width;
			cell.width = width;
		}
	}
	if (slot->id == COLUMN_QUERY && layout->skipped)
		line_skip(frame->grid, &line, layout->skipped);
	line_put(frame->grid, cell.x, y, cell.width, &line);
	mark_matches(frame, slot->id, &line, cell);
}

static void draw_connection(const struct frame *frame, const struct layout *layout,
	const struct connection *connection, int y)
{
	struct grid *grid = frame->grid;
	if (ui_is_tagged(frame->ui, connection->backend))
		grid_char(grid, TAG_X, y, U'●', STYLE_KEY);
	else if (frame->ui->following &&
		identity_equal(frame->ui->selected, identity_of(connection->backend)))
		grid_char(grid, TAG_X, y, U'→', STYLE_KEY);
	if (connection->verdict.status == STATUS_LEAKED)
		grid_char(grid, MARK_X, y, U'✗', STYLE_LEAKED);
	bool changed = settle_has_changed(frame->ui, connection);
	for (size_t i = 0; i < layout->n_slots; i++) {
		const struct slot *slot = &layout->slots[i];
		draw_cell(frame, layout, slot, connection, y);
		if (changed && slot->id == COLUMN_STATUS)
			grid_overlay(
				grid, (struct rect){ slot->x, y, slot->width, 1 }, OVERLAY_CHANGED);
	}
}

/* The column where the details begin: below the first column after the ages, so that they are
 * aligned. */
static int details_x(const struct layout *layout, const struct rows *rows)
{
	for (size_t i = 0; i < layout->n_slots; i++)
		if (layout->slots[i].id > COLUMN_FOR && rows->n_members)
			return layout->slots[i].x;
	return WITHOUT_COLUMNS;
}

static int digits_of(const struct rows *rows)
{
	uint32_t most = 0;
	int digits = 1;
	for (size_t i = 0; i < rows->n_groups; i++)
		if (rows->groups[i].total > most)
			most = rows->groups[i].total;
	for (; most >= 10; most /= 10)
		digits++;
	return digits;
}

static void draw_group(
	const struct frame *frame, const struct layout *layout, const struct group *group, int y)
{
	struct grid *grid = frame->grid;
	struct line line;
	if (group->count)
		grid_char(grid, MARK_X, y, group->folded ? U'▸' : U'▾', STYLE_GROUP);
	group_line_counts(group, digits_of(&frame->ui->rows), grid->width, &line);
	int right = grid->width - 1 - line_width(grid, &line);
	line_put(grid, right, y, grid->width - right, &line);

	group_line_name(frame->assessment, group, &line);
	struct rect name = { LAYOUT_GUTTER, y, right - LAYOUT_GAP - LAYOUT_GUTTER, 1 };
	/* A long command line is cut before the pid is. */
	if (grid->width >= DETAILED)
		name.width -= PID_ROOM + LAYOUT_GAP;
	int end = LAYOUT_GUTTER + line_put(grid, name.x, y, name.width, &line);
	mark_matches(frame, COLUMN_PROCESS, &line, name);
	if (grid->width < DETAILED)
		return;
	int x = details_x(layout, &frame->ui->rows);
	if (x > right - LAYOUT_GAP - PID_ROOM)
		x = right - LAYOUT_GAP - PID_ROOM;
	if (x < end + LAYOUT_GAP)
		x = end + LAYOUT_GAP;
	group_line_details(frame->assessment, group, frame->now, &line);
	line_keep_parts(grid, &line, right - LAYOUT_GAP - x);
	line_put(grid, x, y, right - LAYOUT_GAP - x, &line);
}

void table_draw_rows(const struct frame *frame, const struct layout *layout, int y, int lines)
{
	const struct ui_state *ui = frame->ui;
	const struct rows *rows = &ui->rows;
	size_t top = settle_first(ui->shown.top, ui->row, (size_t)lines, rows->n_rows);
	frame->shown->page_rows = (size_t)lines;
	frame->shown->top = top;
	for (int i = 0; i < lines && top + (size_t)i < rows->n_rows; i++) {
		size_t index = top + (size_t)i;
		const struct row *row = &rows->rows[index];
		struct rect whole = { 0, y + i, frame->grid->width, 1 };
		if (row->member == ROW_HEADER)
			draw_group(frame, layout, &rows->groups[row->group], y + i);
		else
			draw_connection(frame, layout,
				&frame->assessment
					 ->connections[rows->members[row->member].connection],
				y + i);
		grid_add_hit(frame->grid, whole, HIT_ROW, (uint32_t)index);
		if (index == ui->row)
			grid_overlay(frame->grid, whole, OVERLAY_SELECTED);
	}
}
