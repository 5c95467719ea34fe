/* A line of text in several styles, built piece by piece before it is put into the grid. */
#ifndef WIDGETS_LINE_H
#define WIDGETS_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/style.h"
#include "widgets/grid.h"

#define LINE_BYTES 2560 /* 500 columns and more */
#define LINE_SPANS 16   /* further pieces get the style of the last one */

/* Only line_begin() initialises it: most of the buffer is never used. */
struct line {
	size_t length, n_spans;
	struct span spans[LINE_SPANS];
	char text[LINE_BYTES]; /* terminated */
};

void line_begin(struct line *line);

/* Appends text; what does not fit is left out. */
void line_add(struct line *line, enum style style, const char *text);
void line_add_bytes(struct line *line, enum style style, const char *text, size_t length);
void line_printf(struct line *line, enum style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with each run of blanks, tabs and line breaks as one blank, so that a statement takes
 * one line. */
void line_add_folded(struct line *line, enum style style, const char *text);

/* Appends " · " if the line is not empty, then the text. */
void line_add_next(struct line *line, enum style style, const char *text);

/* Removes the last parts that line_add_next() made, until the rest fits or is one part. */
void line_keep_parts(const struct grid *grid, struct line *line, int width);

/* Replaces its first columns by …; the line becomes empty if it has no more columns than these. */
void line_skip(const struct grid *grid, struct line *line, int columns);

int line_width(const struct grid *grid, const struct line *line);

/* Draws it as grid_put() does. */
int line_put(struct grid *grid, int x, int y, int width, const struct line *line);
void line_put_right(struct grid *grid, int x, int y, int width, const struct line *line);

/* Draws it at *x if it ends before the column `right`, and moves *x behind it and a gap; otherwise
 * draws nothing and returns false. */
bool line_put_whole(struct grid *grid, int *x, int y, int right, int gap, const struct line *line);

#endif
