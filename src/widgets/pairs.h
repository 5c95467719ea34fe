/* Labels with texts beside them, wrapped into the lines of a column. On a narrow column a text
 * begins behind its label and continues below it. */
#ifndef WIDGETS_PAIRS_H
#define WIDGETS_PAIRS_H

#include <stddef.h>

#include "model/style.h"

struct arena;
struct grid;
struct pairs_line;

struct pair {
	const char *label, *text; /* text NULL: a heading, with a blank line above it */
	enum style label_style, text_style;
};

struct pairs_column {
	int width;
	int labels;     /* the width of the labels with their gap, if the column is wide enough */
	int unlabelled; /* the indent of texts whose label is "" */
	struct pairs_line *lines;
	size_t n_lines;
};

/* Sets n_lines, and lines in the arena; if that is NULL, the lines are only counted. The lines
 * point into the pairs. */
void pairs_wrap(struct pairs_column *column, const struct grid *grid, const struct pair *pairs,
	size_t count, struct arena *arena);

/* Draws a line at (x, y); nothing after the last one. */
void pairs_draw_line(
	struct grid *grid, const struct pairs_column *column, size_t index, int x, int y);

#endif
