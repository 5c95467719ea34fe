#include "widgets/pairs.h"

#include <stdbool.h>

#include "base/arena.h"
#include "widgets/grid.h"
#include "widgets/line.h"
#include "widgets/wrap.h"

#define STACKED 48 /* on a narrower column the texts are below their labels */
#define INDENT  2

/* The first line of a pair, or a continuation of its text. */
struct pairs_line {
	const struct pair *pair; /* NULL: a blank line */
	const char *text;
	size_t length;
	int indent;
	bool first;
};

/* The columns left of a text: on its first line, and on the following lines. */
static int indent_of(const struct grid *grid, const struct pairs_column *column,
	const struct pair *pair, bool first)
{
	if (!*pair->label)
		return column->unlabelled;
	if (column->width >= STACKED)
		return column->labels;
	return first ? grid_width(grid, pair->label) + INDENT : INDENT;
}

static void push(struct pairs_column *column, struct pairs_line line)
{
	if (column->lines)
		column->lines[column->n_lines] = line;
	column->n_lines++;
}

static void wrap(struct pairs_column *column, const struct grid *grid, const struct pair *pair)
{
	const char *text = pair->text;
	size_t skip;
	for (bool first = true; *text; text += skip, first = false) {
		int indent = indent_of(grid, column, pair, first);
		int room = column->width - indent > 1 ? column->width - indent : 1;
		size_t length = wrap_line(grid, text, room, &skip);
		push(column, (struct pairs_line){ pair, text, length, indent, first });
	}
}

/* Writes the lines, or only counts them if `lines` is NULL. */
static void wrap_all(struct pairs_column *column, const struct grid *grid, const struct pair *pairs,
	size_t count)
{
	column->n_lines = 0;
	for (size_t i = 0; i < count; i++) {
		if (pairs[i].text) {
			wrap(column, grid, &pairs[i]);
			continue;
		}
		if (i > 0)
			push(column, (struct pairs_line){ 0 });
		push(column, (struct pairs_line){ .pair = &pairs[i], .first = true });
	}
}

void pairs_wrap(struct pairs_column *column, const struct grid *grid, const struct pair *pairs,
	size_t count, struct arena *arena)
{
	column->lines = NULL;
	wrap_all(column, grid, pairs, count);
	if (!arena)
		return;
	column->lines = arena_array(arena, column->n_lines, sizeof(*column->lines));
	wrap_all(column, grid, pairs, count);
}

void pairs_draw_line(
	struct grid *grid, const struct pairs_column *column, size_t index, int x, int y)
{
	if (index >= column->n_lines || !column->lines[index].pair)
		return;
	const struct pairs_line *shown = &column->lines[index];
	const struct pair *pair = shown->pair;
	struct line line;
	if (shown->first)
		grid_put(grid, x, y, column->width, pair->label, pair->label_style);
	if (!shown->text)
		return;
	line_begin(&line);
	line_add_bytes(&line, pair->text_style, shown->text, shown->length);
	line_put(grid, x + shown->indent, y, column->width - shown->indent, &line);
}
