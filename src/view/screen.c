/* The parts of a frame from top to bottom, and which of them fit each size. */
#include "view/screen.h"

#include <stdio.h>

#include "model/assessment.h"
#include "view/header.h"
#include "view/pools.h"
#include "view/trouble.h"
#include "view/trouble_view.h"
#include "view/watch_view.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/keybar.h"
#include "widgets/table.h"
#include "widgets/ui.h"

/* The parts that fit, smallest size first. */
static const struct shape {
	int width, height; /* from this size on */
	bool header;       /* the header has three lines; else one */
	bool heading;      /* the table has titles */
	bool keys;
	bool closing_rule; /* a line between table and key bar */
	bool numbers_only;
	int pools; /* lines for pools, at most */
} shapes[] = {
	{ 0, 0, .numbers_only = true },
	{ 30, 3 },
	{ 40, 10, .keys = true },
	{ 60, 14, .header = true, .heading = true, .keys = true, .pools = 1 },
	{ 60, 20, .header = true, .heading = true, .keys = true, .closing_rule = true, .pools = 2 },
	{ 60, 30, .header = true, .heading = true, .keys = true, .closing_rule = true, .pools = 4 },
	{ 60, 45, .header = true, .heading = true, .keys = true, .closing_rule = true, .pools = 8 },
};

static struct shape shape_of(int width, int height)
{
	struct shape shape = shapes[0];
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (width >= shapes[i].width && height >= shapes[i].height)
			shape = shapes[i];
	return shape;
}

static void draw_rule(struct grid *grid, int y)
{
	grid_fill(grid, (struct rect){ 0, y, grid->width, 1 }, U'─', STYLE_DIM);
}

/* "── filter: worker · 3 of 18 ──": says that a filter hides rows. */
static void draw_filter_state(const struct frame *frame, int y)
{
	const struct ui_state *ui = frame->ui;
	char text[FILTER_TEXT_MAX + 64];
	if (!ui->filter.n_terms)
		return;
	snprintf(text, sizeof(text), " filter: %s · %zu of %zu ", ui->filter.text,
		ui->rows.n_members, ui->rows.n_total);
	grid_put(frame->grid, 2, y, frame->grid->width - 4, text, STYLE_CAUTION);
}

static void draw_tour(const struct frame *frame, int y)
{
	char text[256];
	if (!frame->ui->tour)
		return;
	snprintf(text, sizeof(text), " %s ", frame->ui->tour);
	grid_put(frame->grid, 2, y, frame->grid->width - 4, text, STYLE_TEXT);
}

/* Draws "1–28 of 1003" if not all rows are shown. */
static void draw_position(const struct frame *frame, int y)
{
	const struct ui_shown *shown = frame->shown;
	size_t n_rows = frame->ui->rows.n_rows;
	if (n_rows <= shown->page_rows)
		return;
	char text[64];
	snprintf(text, sizeof(text), " %zu–%zu of %zu ", shown->top + 1,
		shown->top + shown->page_rows, n_rows);
	grid_put_right(frame->grid, 0, y, frame->grid->width - 2, text, STYLE_DIM);
}

static bool is_alone(const struct assessment *assessment)
{
	return assessment->n_connections == 1 &&
		assessment->connections[0].verdict.protection == PROTECTION_OWN;
}

/* Shown below the only row when that is dbtop's own connection. */
static void draw_alone(const struct frame *frame, int y, int lines)
{
	/* each fits into 40 columns */
	static const char *const texts[] = { "Nobody else is connected.",
		"Start the application to see it.", "dbtop --demo shows leaks." };
	int count = frame->ui->replay.count ? 1 : 3, below = y + (int)frame->ui->rows.n_rows + 1;
	if (!is_alone(frame->assessment) || frame->ui->filter.n_terms || below + count > y + lines)
		return;
	for (int i = 0; i < count; i++)
		grid_put(frame->grid, LAYOUT_GUTTER, below + i,
			frame->grid->width - LAYOUT_GUTTER - 1, texts[i],
			i ? STYLE_DIM : STYLE_TEXT);
}

/* Why the table is empty although the server has no trouble. */
static void draw_nothing(const struct frame *frame, int y)
{
	struct grid *grid = frame->grid;
	bool filtered = frame->ui->filter.n_terms > 0;
	if (frame->ui->rows.n_rows || !frame->assessment->activity)
		return;
	grid_put(grid, LAYOUT_GUTTER, y, grid->width - LAYOUT_GUTTER - 1,
		filtered ? "Nothing matches the filter." : "Nobody is connected.", STYLE_TEXT);
	if (filtered)
		grid_put(grid, LAYOUT_GUTTER, y + 1, grid->width - LAYOUT_GUTTER - 1,
			"Esc shows everything again", STYLE_DIM);
}

static void draw_table(const struct frame *frame, bool heading, int y, int lines)
{
	const struct ui_state *ui = frame->ui;
	if (lines <= 0)
		return;
	const struct layout_options options = {
		.grouping = ui->grouping,
		.headings = heading,
		.width = frame->grid->width,
		.columns = ui->columns,
		.n_columns = ui->n_columns,
		.pan = ui->pan,
	};
	struct layout layout = layout_columns(frame->assessment, &ui->rows, &options);
	frame->shown->columns = layout.shown;
	frame->shown->most_pan = layout.most_pan;
	if (heading && ui->rows.n_members) {
		table_draw_heading(frame, &layout, y++);
		lines--;
	}
	table_draw_rows(frame, &layout, y, lines);
	draw_nothing(frame, y);
	draw_alone(frame, y, lines);
	if (trouble_is_stale(frame->assessment))
		grid_restyle(
			frame->grid, (struct rect){ 0, y, frame->grid->width, lines }, STYLE_DIM);
}

static void draw_main(const struct frame *frame, const struct shape *shape)
{
	struct grid *grid = frame->grid;
	bool bare = !frame->assessment->activity;
	int y = 0, rule = 0, end = grid->height;
	if (shape->header) {
		header_draw(frame, y);
		y += HEADER_LINES;
		y += pools_draw(frame, y, shape->pools);
	} else {
		header_draw_line(frame, y++);
	}
	if (shape->keys || frame->ui->filter_editing)
		keybar_draw_line(frame, NULL, --end, frame->assessment->n_leaked);
	if (shape->closing_rule) {
		draw_rule(grid, --end);
		draw_tour(frame, end);
	}
	if (!bare && shape->header)
		y += trouble_view_draw(frame, 1, y, grid->height >= 24 ? 3 : 1);
	if (shape->header) {
		rule = y++;
		draw_rule(grid, rule);
		draw_filter_state(frame, rule);
		watch_view_draw_state(frame, rule);
	}
	if (bare) {
		y += shape->header;
		/* When the server is full, the processes that hold its slots are shown below the
		 * error. */
		int room = frame->ui->rows.n_rows ? (end - y) / 2 : end - y;
		y += trouble_view_draw_page(frame, LAYOUT_GUTTER, y, room);
		y += shape->header;
	}
	draw_table(frame, shape->heading, y, end - y);
	if (shape->header)
		draw_position(frame, shape->closing_rule ? end : rule);
}

/* Draws the dialog on top. The table below it is dimmed, the header is not. */
static void draw_dialog(const struct frame *frame)
{
	struct grid *grid = frame->grid;
	const struct view *top = ui_top(frame->ui);
	if (!top || top->is_whole)
		return;
	grid_flatten(grid, (struct rect){ 0, HEADER_LINES, grid->width, grid->height }, STYLE_DIM);
	top->draw(frame);
}

struct ui_shown screen_build(const struct assessment *assessment, const struct history *history,
	const struct ui_state *ui, const struct action *plan, int width, int height,
	struct grid *grid)
{
	/* A table without room shows no rows; what it showed before stays. */
	struct ui_shown shown = ui->shown;
	struct frame frame = {
		.grid = grid,
		.assessment = assessment,
		.history = history,
		.plan = plan,
		.ui = ui,
		.shown = &shown,
		.now = ui->now || !assessment ? ui->now : assessment->now,
	};
	const struct view *base = ui_base(ui);
	struct shape shape = shape_of(width, height);
	grid->ascii = ui->ascii;
	grid_reset(grid, width > 0 ? width : 0, height > 0 ? height : 0);
	if (base)
		base->draw(&frame);
	else if (shape.numbers_only)
		header_draw_numbers(&frame);
	else
		draw_main(&frame, &shape);
	draw_dialog(&frame);
	return shown;
}
