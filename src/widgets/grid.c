/* Cells, and text clipped into them. Wide and combining characters never move their neighbours. */
#include "widgets/grid.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct hit_area {
	struct rect rect;
	struct hit hit;
};

/* ASCII characters that replace what the view draws, for terminals that have ASCII only. */
static const struct {
	char32_t c;
	char ascii;
} likenesses[] = {
	{ U'…', '>' },
	{ U'·', '-' },
	{ U'─', '-' },
	{ U'│', '|' },
	{ U'┌', '+' },
	{ U'┐', '+' },
	{ U'└', '+' },
	{ U'┘', '+' },
	{ U'├', '+' },
	{ U'┤', '+' },
	{ U'█', '#' },
	{ U'▓', '=' },
	{ U'▒', '-' },
	{ U'░', '.' },
	{ U'▁', '_' },
	{ U'▂', '.' },
	{ U'▃', ':' },
	{ U'▄', '-' },
	{ U'▅', '+' },
	{ U'▆', '*' },
	{ U'▇', '%' },
	{ U'▾', 'v' },
	{ U'▸', '>' },
	{ U'✗', 'x' },
	{ U'≤', '<' },
	{ U'≥', '>' },
	{ U'✓', '+' },
	{ U'●', '*' },
	{ U'○', 'o' },
	{ U'•', '*' },
	{ U'▶', '>' },
	{ U'▮', '|' },
	{ U'‹', '<' },
	{ U'›', '>' },
	{ U'×', 'x' },
	{ U'↑', '^' },
	{ U'↓', 'v' },
	{ U'→', '>' },
	{ U'←', '<' },
	{ U'–', '-' },
	{ U'“', '"' },
	{ U'”', '"' },
	{ U'▏', '|' },
	{ U'┃', '|' },
};

static char32_t likeness(char32_t c)
{
	for (size_t i = 0; i < sizeof(likenesses) / sizeof(likenesses[0]); i++)
		if (likenesses[i].c == c)
			return (unsigned char)likenesses[i].ascii;
	return '?';
}

static struct cell blank(enum style style)
{
	return (struct cell){ .c = ' ', .style = (uint8_t)style, .width = 1 };
}

void grid_init(struct grid *grid)
{
	*grid = (struct grid){ 0 };
}

void grid_deinit(struct grid *grid)
{
	free(grid->cells);
	free(grid->hits);
	*grid = (struct grid){ 0 };
}

void grid_reset(struct grid *grid, int width, int height)
{
	size_t count = (size_t)width * (size_t)height;
	if (count > grid->room) {
		grid->cells = mem_resize(grid->cells, count, sizeof(*grid->cells));
		grid->room = count;
	}
	grid->width = width;
	grid->height = height;
	grid->n_hits = 0;
	for (size_t i = 0; i < count; i++)
		grid->cells[i] = blank(STYLE_TEXT);
}

struct cell *grid_cell(const struct grid *grid, int x, int y)
{
	if (x < 0 || y < 0 || x >= grid->width || y >= grid->height)
		return NULL;
	return &grid->cells[(size_t)y * (size_t)grid->width + (size_t)x];
}

/* Blanks the other half of a wide character of which one half is overwritten. */
static void detach(struct grid *grid, int x, int y)
{
	struct cell *cell = grid_cell(grid, x, y);
	struct cell *other = NULL;
	if (cell->width == 0)
		other = grid_cell(grid, x - 1, y);
	else if (cell->width == 2)
		other = grid_cell(grid, x + 1, y);
	if (other)
		*other = blank(other->style);
}

static void set(struct grid *grid, int x, int y, struct cell cell)
{
	struct cell *old = grid_cell(grid, x, y);
	if (!old)
		return;
	if (old->width != 1)
		detach(grid, x, y);
	*old = cell;
}

void grid_char(struct grid *grid, int x, int y, char32_t c, enum style style)
{
	struct cell cell = blank(style);
	cell.c = grid->ascii && c >= 0x7f ? likeness(c) : c;
	set(grid, x, y, cell);
}

/* The character as it is drawn here; *ret_width is 0 for a combining one. */
static char32_t drawn(const struct grid *grid, char32_t c, int *ret_width)
{
	*ret_width = 1;
	if (c == '\n' || c == '\t')
		return ' ';
	if (c < 0x7f)
		return c < 0x20 ? '?' : c;
	if (grid->ascii)
		return likeness(c);
	*ret_width = text_char_width(c);
	return c;
}

static void add_mark(struct grid *grid, int x, int y, char32_t mark)
{
	struct cell *cell = grid_cell(grid, x, y);
	if (cell && cell->width == 0)
		cell = grid_cell(grid, x - 1, y);
	for (int i = 0; cell && i < GRID_MARKS; i++) {
		if (!cell->marks[i]) {
			cell->marks[i] = mark;
			return;
		}
	}
}

static void set_wide(struct grid *grid, int x, int y, char32_t c, enum style style)
{
	struct cell left = { .c = c, .style = (uint8_t)style, .width = 2 };
	struct cell right = { .style = (uint8_t)style };
	set(grid, x, y, left);
	if (grid_cell(grid, x + 1, y)->width != 1)
		detach(grid, x + 1, y);
	*grid_cell(grid, x + 1, y) = right;
}

/* Clips the columns to the grid; returns false if nothing is left. */
static bool clip(const struct grid *grid, int *x, int y, int *width)
{
	if (y < 0 || y >= grid->height)
		return false;
	if (*x < 0) {
		*width += *x;
		*x = 0;
	}
	if (*width > grid->width - *x)
		*width = grid->width - *x;
	return *width > 0;
}

/* The last column shows that text was cut off. */
static int cut(struct grid *grid, int at, int y, int end, enum style style)
{
	while (at < end)
		grid_char(grid, at++, y, ' ', style);
	grid_char(grid, end - 1, y, U'…', style);
	return end;
}

int grid_put_spans(struct grid *grid, int x, int y, int width, const char *text,
	const struct span *spans, size_t n_spans)
{
	if (!clip(grid, &x, y, &width))
		return 0;
	const char *start = text;
	size_t next = 0;
	enum style style = STYLE_TEXT;
	int at = x, columns;
	for (;;) {
		while (next < n_spans && spans[next].from <= (size_t)(text - start))
			style = spans[next++].style;
		char32_t c = text_next(&text);
		if (!c)
			return at - x;
		c = drawn(grid, c, &columns);
		if (at + columns > x + width)
			return cut(grid, at, y, x + width, style) - x;
		if (columns == 2)
			set_wide(grid, at, y, c, style);
		else if (columns == 1)
			set(grid, at, y,
				(struct cell){ .c = c, .style = (uint8_t)style, .width = 1 });
		else if (at > x)
			add_mark(grid, at - 1, y, c);
		at += columns;
	}
}

int grid_put(struct grid *grid, int x, int y, int width, const char *text, enum style style)
{
	return grid_put_spans(grid, x, y, width, text, &(struct span){ 0, style }, 1);
}

int grid_put_tail(struct grid *grid, int x, int y, int width, const char *text, enum style style)
{
	if (!clip(grid, &x, y, &width))
		return 0;
	int columns = grid_width(grid, text);
	if (columns <= width)
		return grid_put(grid, x, y, width, text, style);
	while (columns > width - 1 && *text) {
		int skipped;
		drawn(grid, text_next(&text), &skipped);
		columns -= skipped;
	}
	grid_char(grid, x, y, grid->ascii ? U'←' : U'…', style);
	return 1 + grid_put(grid, x + 1, y, width - 1, text, style);
}

void grid_put_right(struct grid *grid, int x, int y, int width, const char *text, enum style style)
{
	int columns = grid_width(grid, text);
	if (columns < width) {
		x += width - columns;
		width = columns;
	}
	grid_put(grid, x, y, width, text, style);
}

int grid_width(const struct grid *grid, const char *text)
{
	int width = 0;
	for (char32_t c; (c = text_next(&text));) {
		int columns;
		drawn(grid, c, &columns);
		width += columns;
	}
	return width;
}

static struct rect inside(const struct grid *grid, struct rect rect)
{
	if (rect.x < 0) {
		rect.width += rect.x;
		rect.x = 0;
	}
	if (rect.y < 0) {
		rect.height += rect.y;
		rect.y = 0;
	}
	if (rect.width > grid->width - rect.x)
		rect.width = grid->width - rect.x;
	if (rect.height > grid->height - rect.y)
		rect.height = grid->height - rect.y;
	return rect;
}

/* A wide character that crosses the rectangle's edge also loses its other half. */
static void cut_edges(struct grid *grid, struct rect rect, int y)
{
	if (grid_cell(grid, rect.x, y)->width == 0)
		detach(grid, rect.x, y);
	if (grid_cell(grid, rect.x + rect.width - 1, y)->width == 2)
		detach(grid, rect.x + rect.width - 1, y);
}

void grid_fill(struct grid *grid, struct rect rect, char32_t c, enum style style)
{
	rect = inside(grid, rect);
	if (rect.width <= 0)
		return;
	struct cell cell = blank(style);
	cell.c = grid->ascii && c >= 0x7f ? likeness(c) : c;
	for (int y = rect.y; y < rect.y + rect.height; y++) {
		cut_edges(grid, rect, y);
		for (int x = rect.x; x < rect.x + rect.width; x++)
			*grid_cell(grid, x, y) = cell;
	}
}

void grid_overlay(struct grid *grid, struct rect rect, enum overlay overlay)
{
	rect = inside(grid, rect);
	for (int y = rect.y; y < rect.y + rect.height; y++)
		for (int x = rect.x; x < rect.x + rect.width; x++)
			grid_cell(grid, x, y)->overlay |= (uint8_t)overlay;
}

void grid_restyle(struct grid *grid, struct rect rect, enum style style)
{
	rect = inside(grid, rect);
	for (int y = rect.y; y < rect.y + rect.height; y++)
		for (int x = rect.x; x < rect.x + rect.width; x++)
			grid_cell(grid, x, y)->style = (uint8_t)style;
}

void grid_flatten(struct grid *grid, struct rect rect, enum style style)
{
	grid_restyle(grid, rect, style);
	rect = inside(grid, rect);
	for (int y = rect.y; y < rect.y + rect.height; y++)
		for (int x = rect.x; x < rect.x + rect.width; x++)
			grid_cell(grid, x, y)->overlay = 0;
}

void grid_add_hit(struct grid *grid, struct rect rect, enum hit_kind kind, uint32_t id)
{
	grid->hits = mem_grow(grid->hits, grid->n_hits, &grid->hits_room, sizeof(*grid->hits));
	grid->hits[grid->n_hits++] = (struct hit_area){ rect, { kind, id } };
}

struct hit grid_hit(const struct grid *grid, int x, int y)
{
	for (size_t i = grid->n_hits; i-- > 0;) {
		const struct rect *rect = &grid->hits[i].rect;
		if (x >= rect->x && y >= rect->y && x < rect->x + rect->width &&
			y < rect->y + rect->height)
			return grid->hits[i].hit;
	}
	return (struct hit){ HIT_NONE, 0 };
}
