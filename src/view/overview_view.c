/* Draws the overview: a title, the servers, the keys. Columns that do not fit are left out, the
 * least important ones first; what a server needs is said in its last column. */
#include "view/overview_view.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/server_row.h"
#include "view/overview.h"
#include "view/overview_cells.h"
#include "view/trouble.h"
#include "widgets/frame.h"
#include "widgets/gauge.h"
#include "widgets/grid.h"
#include "widgets/keybar.h"
#include "widgets/line.h"
#include "widgets/settle.h"
#include "widgets/ui.h"

#define GUTTER 3 /* the sign, and blanks around it */
#define SIGN_X 1
#define GAP    2

/* The least and the most columns of those that have no width of their own. */
#define NAME_LEAST   12
#define NAME_MOST    40
#define GAUGE_LEAST  8
#define GAUGE_FAIR   16 /* before the server's words get room */
#define GAUGE_MOST   40
#define STATUS_LEAST 11
#define ERROR_LEAST  20 /* less of the server's words says nothing */

/* Left out in this order; the first ones before a name or a status is cut. */
static const enum overview_column sacrifices[] = { OVERVIEW_AGE, OVERVIEW_WAITING, OVERVIEW_GAUGE,
	OVERVIEW_TRANSACTION, OVERVIEW_FREE, OVERVIEW_LEAKED, OVERVIEW_USED };
#define SACRIFICES     (sizeof(sacrifices) / sizeof(sacrifices[0]))
#define BEFORE_CUTTING 2

struct columns {
	int x[OVERVIEW_COLUMNS], width[OVERVIEW_COLUMNS]; /* width 0: left out */
	int most_name, most_status;
	int most_words; /* of a status with the server's words, where there are numbers */
};

/* The parts that fit. */
struct shape {
	bool heading, rules, keys;
};

static struct shape shape_of(const struct grid *grid)
{
	return (struct shape){
		.heading = grid->width >= 60 && grid->height >= 14,
		.rules = grid->width >= 60 && grid->height >= 14,
		.keys = grid->width >= 40 && grid->height >= 10,
	};
}

static const struct server_row *row_at(const struct overview *overview, size_t at)
{
	return &overview->rows[overview->list[at]];
}

/* The status, and how old the numbers are if no column says it. */
static void format_status(
	const struct frame *frame, const struct server_row *row, bool with_age, struct line *line)
{
	char age[DURATION_TEXT_MAX];
	overview_format(row, OVERVIEW_STATUS, frame->now, line);
	if (with_age && row->assessment && trouble_is_stale(row->assessment))
		line_printf(line, STYLE_CAUTION, " · %s old",
			duration_format(trouble_age(row->assessment, frame->now), age));
}

/* Widths by the contents of all rows, so that scrolling moves nothing. */
static void measure(
	const struct frame *frame, const struct overview *overview, struct columns *columns)
{
	struct line line;
	bool heading = shape_of(frame->grid).heading;
	for (unsigned int c = 0; c < OVERVIEW_COLUMNS; c++)
		columns->width[c] = heading
			? grid_width(frame->grid, overview_title((enum overview_column)c))
			: 1;
	for (size_t i = 0; i < overview->n_rows; i++) {
		for (unsigned int c = 0; c < OVERVIEW_COLUMNS; c++) {
			overview_format(
				&overview->rows[i], (enum overview_column)c, frame->now, &line);
			int width = line_width(frame->grid, &line);
			if (width > columns->width[c])
				columns->width[c] = width;
		}
	}
	columns->most_name = columns->width[OVERVIEW_NAME];
	columns->most_status = columns->width[OVERVIEW_STATUS];
}

static void measure_status(
	const struct frame *frame, const struct overview *overview, struct columns *columns)
{
	struct line line;
	for (size_t i = 0; i < overview->n_rows; i++) {
		format_status(frame, &overview->rows[i], !columns->width[OVERVIEW_AGE], &line);
		int width = line_width(frame->grid, &line);
		if (width > columns->most_status)
			columns->most_status = width;
		if (overview->rows[i].assessment && overview->rows[i].assessment->activity)
			overview_add_error(&overview->rows[i], false, &line);
		width = line_width(frame->grid, &line);
		if (width > columns->most_words)
			columns->most_words = width;
	}
}

static int at_most(int a, int b)
{
	return a < b ? a : b;
}

static int total_of(const struct columns *columns)
{
	int total = GUTTER - GAP;
	for (size_t i = 0; i < OVERVIEW_COLUMNS; i++)
		if (columns->width[i])
			total += columns->width[i] + GAP;
	return total;
}

/* Gives a column more of the room that is left, up to `most`. */
static void widen(struct columns *columns, enum overview_column column, int most, int *room)
{
	int more = at_most(most - columns->width[column], *room);
	if (!columns->width[column] || more <= 0)
		return;
	columns->width[column] += more;
	*room -= more;
}

static struct columns lay_out(const struct frame *frame, const struct overview *overview)
{
	struct columns columns = { 0 };
	int width = frame->grid->width - 1;
	measure(frame, overview, &columns);
	columns.width[OVERVIEW_NAME] = at_most(columns.most_name, NAME_MOST);
	columns.width[OVERVIEW_GAUGE] = GAUGE_LEAST;
	for (size_t i = 0; i < SACRIFICES && total_of(&columns) > width; i++) {
		if (i == BEFORE_CUTTING) {
			columns.width[OVERVIEW_NAME] = at_most(columns.most_name, NAME_LEAST);
			columns.width[OVERVIEW_STATUS] = at_most(columns.most_status, STATUS_LEAST);
		}
		if (total_of(&columns) > width)
			columns.width[sacrifices[i]] = 0;
	}
	measure_status(frame, overview, &columns);
	int room = width - total_of(&columns);
	widen(&columns, OVERVIEW_STATUS, columns.most_status, &room);
	widen(&columns, OVERVIEW_NAME, at_most(columns.most_name, NAME_MOST), &room);
	widen(&columns, OVERVIEW_GAUGE, GAUGE_FAIR, &room);
	widen(&columns, OVERVIEW_STATUS, columns.most_words, &room);
	/* Half of it is for the server's own words. */
	int half = room / 2;
	room -= half;
	widen(&columns, OVERVIEW_GAUGE, GAUGE_MOST, &room);
	room += half;
	/* With too little room for anything but the name, it is cut. */
	columns.width[OVERVIEW_STATUS] += room;
	int x = GUTTER;
	for (size_t i = 0; i < OVERVIEW_COLUMNS; i++) {
		columns.x[i] = x;
		if (columns.width[i])
			x += columns.width[i] + GAP;
	}
	return columns;
}

static void draw_heading(const struct frame *frame, const struct overview *overview,
	const struct columns *columns, int y)
{
	struct grid *grid = frame->grid;
	for (unsigned int c = 0; c < OVERVIEW_COLUMNS; c++) {
		enum overview_column column = (enum overview_column)c;
		int x = columns->x[c], width = columns->width[c];
		if (!width)
			continue;
		bool sorted = overview->sort == column;
		enum style style = sorted ? STYLE_SORTED : STYLE_HEADING;
		const char *title = overview_title(column);
		bool right = overview_is_right(column);
		if (right)
			grid_put_right(grid, x, y, width, title, style);
		else
			grid_put(grid, x, y, width, title, style);
		/* The arrow is in the gap, so that the title does not move. */
		if (sorted)
			grid_char(grid, right ? x + width : x + grid_width(grid, title), y,
				overview->reverse ? U'↑' : U'↓', style);
		grid_add_hit(grid, (struct rect){ x, y, width, 1 }, HIT_COLUMN, c);
	}
}

static void draw_name(const struct frame *frame, const struct server_row *row, struct rect where)
{
	enum style style = server_row_needs_person(row) ? STYLE_STRONG : STYLE_TEXT;
	/* Of host:port/database the end differs. */
	if (row->has_place)
		grid_put_tail(frame->grid, where.x, where.y, where.width, row->name, style);
	else
		grid_put(frame->grid, where.x, where.y, where.width, row->name ? row->name : "?",
			style);
}

/* A server that is too full to tell its numbers has a full one. */
static void draw_gauge(const struct frame *frame, const struct server_row *row, struct rect where)
{
	if (!row->assessment)
		return;
	if (row->need == NEED_FULL && row->assessment->slots.max < 0)
		grid_fill(frame->grid, where, U'█', STYLE_USED);
	else
		gauge_slots(frame->grid, where.x, where.y, where.width, &row->assessment->slots);
}

/* Adds the server's own words, and what to do next if that fits, too. Returns how much of them
 * fits: 2 all, 1 the words, 0 not even these. */
static int add_words(
	const struct frame *frame, const struct server_row *row, int width, struct line *line)
{
	struct line whole = *line;
	overview_add_error(row, true, &whole);
	bool is_whole = line_width(frame->grid, &whole) <= width;
	if (is_whole)
		*line = whole;
	else
		overview_add_error(row, false, line);
	return is_whole ? 2 : line_width(frame->grid, line) <= width;
}

/* Then the server's own words, if there is room for some. A row without numbers has room in their
 * place, too; the gauge of a full server stays. */
static void draw_status(const struct frame *frame, const struct server_row *row,
	const struct columns *columns, struct rect where)
{
	struct line line, inside;
	enum overview_column first = row->need == NEED_FULL ? OVERVIEW_USED : OVERVIEW_GAUGE;
	int x = columns->x[first], width = where.x - GAP - x;
	format_status(frame, row, !columns->width[OVERVIEW_AGE], &line);
	if (line_width(frame->grid, &line) > where.width)
		format_status(frame, row, false, &line);
	struct line bare = line;
	int room = where.width - line_width(frame->grid, &bare);
	int fits = add_words(frame, row, where.width, &line);
	line_begin(&inside);
	if (row->assessment && !row->assessment->activity && width >= ERROR_LEAST &&
		(add_words(frame, row, width, &inside) > fits || (!fits && width > room))) {
		line_put(frame->grid, x, where.y, width, &inside);
		line = bare;
	} else if (!fits && room < ERROR_LEAST) {
		line = bare;
	}
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static void draw_cell(const struct frame *frame, const struct server_row *row,
	const struct columns *columns, enum overview_column column, int y)
{
	struct line line;
	struct rect where = { columns->x[column], y, columns->width[column], 1 };
	switch (column) {
	case OVERVIEW_NAME: draw_name(frame, row, where); break;
	case OVERVIEW_GAUGE: draw_gauge(frame, row, where); break;
	case OVERVIEW_STATUS: draw_status(frame, row, columns, where); break;
	default:
		overview_format(row, column, frame->now, &line);
		line_put_right(frame->grid, where.x, y, where.width, &line);
		/* Old numbers are not what is true now. */
		if (row->assessment && column != OVERVIEW_AGE && trouble_is_stale(row->assessment))
			grid_restyle(frame->grid, where, STYLE_DIM);
	}
}

static void draw_rows(const struct frame *frame, const struct overview *overview, int y, int lines)
{
	struct grid *grid = frame->grid;
	struct columns columns = lay_out(frame, overview);
	size_t top =
		settle_first(frame->shown->top, overview->cursor, (size_t)lines, overview->n_list);
	for (unsigned int c = 0; c < OVERVIEW_COLUMNS; c++)
		if (columns.width[c])
			frame->shown->columns |= 1u << c;
	if (shape_of(grid).heading)
		draw_heading(frame, overview, &columns, y - 1);
	frame->shown->top = frame->shown->dialog_top = top;
	frame->shown->dialog_rows = (size_t)lines;
	for (int i = 0; i < lines && top + (size_t)i < overview->n_list; i++) {
		size_t at = top + (size_t)i;
		const struct server_row *row = row_at(overview, at);
		struct rect whole = { 0, y + i, grid->width, 1 };
		struct overview_sign sign = overview_sign_of(row);
		grid_char(grid, SIGN_X, y + i, sign.sign, sign.style);
		for (unsigned int c = 0; c < OVERVIEW_COLUMNS; c++)
			if (columns.width[c])
				draw_cell(frame, row, &columns, (enum overview_column)c, y + i);
		grid_add_hit(grid, whole, HIT_ROW, (uint32_t)at);
		if (at == overview->cursor)
			grid_overlay(grid, whole, OVERLAY_SELECTED);
	}
}

/* The counts of the title: what is wrong, the most urgent first. */
static const struct {
	enum server_need need;
	const char *words;
	enum style style;
} counts[] = {
	{ NEED_UNREACHABLE, "not reached", STYLE_LEAKED },
	{ NEED_FULL, "full", STYLE_LEAKED },
	{ NEED_SILENT, "overdue", STYLE_CAUTION },
	{ NEED_ROOM, "short of slots", STYLE_LEAKED },
	{ NEED_LEAKED, "with leaks", STYLE_LEAKED },
	{ NEED_WAITING, "waiting", STYLE_CAUTION },
	{ NEED_CONNECTING, "connecting", STYLE_DIM },
};

/* "All well" is said only of servers whose sessions were all seen. */
static void add_counts(const struct overview *overview, struct line *line)
{
	size_t by_need[SERVER_NEED_COUNT] = { 0 }, hidden = 0;
	for (size_t i = 0; i < overview->n_rows; i++) {
		by_need[overview->rows[i].need]++;
		hidden += overview->rows[i].need == NEED_NOTHING &&
			overview->rows[i].is_partly_hidden;
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!by_need[counts[i].need])
			continue;
		char text[64];
		snprintf(text, sizeof(text), "%zu %s", by_need[counts[i].need], counts[i].words);
		line_add_next(line, counts[i].style, text);
	}
	if (hidden) {
		char text[64];
		snprintf(text, sizeof(text), "%zu partly hidden", hidden);
		line_add_next(line, STYLE_CAUTION, text);
	}
	if (by_need[NEED_NOTHING] == overview->n_rows && !hidden)
		line_add_next(line, STYLE_GOOD, "✓ all well");
}

/* Returns its first column. */
static int draw_clock(const struct frame *frame, int y)
{
	struct line line;
	char text[INSTANT_TEXT_MAX];
	struct grid *grid = frame->grid;
	bool wide = grid->width >= 60;
	line_begin(&line);
	if (wide && frame->ui->readonly)
		line_add(&line, STYLE_DIM, "read-only  ");
	if (frame->ui->paused)
		line_add(&line, STYLE_CAUTION, wide ? "paused  " : "paused");
	if (wide)
		line_printf(&line, STYLE_DIM, "%s", instant_clock(frame->now, text));
	int width = line_width(grid, &line);
	if (!width)
		return grid->width;
	line_put(grid, grid->width - 1 - width, y, width, &line);
	return grid->width - 1 - width;
}

static void draw_title(const struct frame *frame, const struct overview *overview, int y)
{
	struct line line;
	int right = draw_clock(frame, y);
	line_begin(&line);
	line_printf(&line, STYLE_TITLE, "%zu server%s", overview->n_rows,
		overview->n_rows == 1 ? "" : "s");
	add_counts(overview, &line);
	int width = right - 1 - GAP;
	if (width < 1)
		width = frame->grid->width;
	line_keep_parts(frame->grid, &line, width);
	line_put(frame->grid, frame->grid->width > 20, y, width, &line);
}

static void draw_rule(const struct frame *frame, int y)
{
	grid_fill(frame->grid, (struct rect){ 0, y, frame->grid->width, 1 }, U'─', STYLE_DIM);
}

static void draw_filter_state(const struct frame *frame, const struct overview *overview, int y)
{
	const struct filter *filter = &frame->ui->filter;
	char text[FILTER_TEXT_MAX + 64];
	if (!filter->n_terms)
		return;
	snprintf(text, sizeof(text), " filter: %s · %zu of %zu ", filter->text, overview->n_list,
		overview->n_rows);
	grid_put(frame->grid, 2, y, frame->grid->width - 4, text, STYLE_CAUTION);
}

/* "1–28 of 50" if not all rows are shown. */
static void draw_position(const struct frame *frame, const struct overview *overview, int y)
{
	const struct ui_shown *shown = frame->shown;
	char text[64];
	if (overview->n_list <= shown->dialog_rows)
		return;
	snprintf(text, sizeof(text), " %zu–%zu of %zu ", shown->top + 1,
		shown->top + shown->dialog_rows, overview->n_list);
	grid_put_right(frame->grid, 0, y, frame->grid->width - 2, text, STYLE_DIM);
}

static void draw_nothing(const struct frame *frame, const struct overview *overview, int y)
{
	int width = frame->grid->width - GUTTER - 1;
	if (overview->n_list)
		return;
	grid_put(frame->grid, GUTTER, y, width, "No server matches the filter.", STYLE_TEXT);
	grid_put(frame->grid, GUTTER, y + 1, width, "Esc shows all of them again", STYLE_DIM);
}

static void draw(const struct frame *frame)
{
	const struct overview *overview = frame->ui->overview;
	struct grid *grid = frame->grid;
	struct shape shape = shape_of(grid);
	int y = 0, end = grid->height;
	frame->shown->columns = 0;
	frame->shown->dialog_has_cursor = true;
	frame->shown->dialog_lines = overview->n_list;
	draw_title(frame, overview, y++);
	if (shape.keys || frame->ui->filter_editing || frame->ui->notice)
		keybar_draw_line(frame, &overview_view, --end, 0);
	if (shape.rules) {
		draw_rule(frame, y);
		draw_filter_state(frame, overview, y++);
		draw_rule(frame, --end);
	}
	y += shape.heading;
	if (end <= y)
		return;
	draw_rows(frame, overview, y, end - y);
	draw_nothing(frame, overview, y);
	if (shape.rules)
		draw_position(frame, overview, end);
}

const struct view overview_view = { .draw = draw, .is_whole = true };
