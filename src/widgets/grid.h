/* A grid of cells: the contents of one frame, independent of the terminal. */
#ifndef WIDGETS_GRID_H
#define WIDGETS_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uchar.h>

#include "model/style.h"

#define GRID_MARKS 2 /* combining characters that a cell keeps; more are dropped */

/* Bits that change the look of a cell's style. */
enum overlay {
	OVERLAY_SELECTED = 1 << 0,
	OVERLAY_CHANGED = 1 << 1,
	OVERLAY_MATCH = 1 << 2,
	OVERLAY_DIALOG = 1 << 3, /* on a dialog's ground */
};

/* Compared with memcmp(): no padding. */
struct cell {
	char32_t c; /* 0: the right half of the wide character before it */
	char32_t marks[GRID_MARKS];
	uint8_t style; /* enum style */
	uint8_t overlay;
	uint16_t width; /* 1, 2, or 0 for a right half */
};

/* What a place on the screen is, to find what the mouse clicked. */
enum hit_kind {
	HIT_NONE,
	HIT_ROW,    /* id: index into the visible rows */
	HIT_COLUMN, /* id: enum column_id, of its heading */
	HIT_KEY,    /* id: index into the key table */
	HIT_LINE,   /* id: index of a dialog's line */
	HIT_TARGET, /* id: index into the plan's targets */
};

struct hit {
	enum hit_kind kind;
	uint32_t id;
};

struct rect {
	int x, y, width, height;
};

struct span {
	size_t from; /* the first byte in this style */
	enum style style;
};

struct grid {
	int width, height;
	bool ascii; /* the locale has ASCII only: other characters are replaced by a similar one or
		       '?' */
	struct cell *cells;
	size_t room; /* cells allocated */
	struct hit_area *hits;
	size_t n_hits, hits_room;
};

/* Makes an empty grid, without memory yet. */
void grid_init(struct grid *grid);
void grid_deinit(struct grid *grid);

/* Sets the size, blanks all cells and removes all hit areas; the memory is kept for
 * the next frame. */
void grid_reset(struct grid *grid, int width, int height);

/* Whether the place is in the grid. The functions below take any coordinates and draw only what is
 * inside. */
struct cell *grid_cell(const struct grid *grid, int x, int y);

/* One character of one column. */
void grid_char(struct grid *grid, int x, int y, char32_t c, enum style style);

/* Writes clean text from x on, in `width` columns; text that does not fit ends with …. Line breaks
 * and tabs become blanks. Returns the columns used. */
int grid_put(struct grid *grid, int x, int y, int width, const char *text, enum style style);

/* The same in several styles, each from its byte of the text on. */
int grid_put_spans(struct grid *grid, int x, int y, int width, const char *text,
	const struct span *spans, size_t n_spans);

/* In one style; text that does not fit begins with …, so that a path keeps its end. */
int grid_put_tail(struct grid *grid, int x, int y, int width, const char *text, enum style style);

/* Right-aligned in its columns. */
void grid_put_right(struct grid *grid, int x, int y, int width, const char *text, enum style style);

/* Columns the text takes in this grid. */
int grid_width(const struct grid *grid, const char *text);

void grid_fill(struct grid *grid, struct rect rect, char32_t c, enum style style);
void grid_overlay(struct grid *grid, struct rect rect, enum overlay overlay);
void grid_restyle(struct grid *grid, struct rect rect, enum style style);
/* Sets the style and removes the overlays. */
void grid_flatten(struct grid *grid, struct rect rect, enum style style);

/* If areas overlap, the later one counts. */
void grid_add_hit(struct grid *grid, struct rect rect, enum hit_kind kind, uint32_t id);
struct hit grid_hit(const struct grid *grid, int x, int y);

#endif
