/* Which columns there is room for, and where each begins. */
#ifndef VIEW_LAYOUT_H
#define VIEW_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "view/columns.h"
#include "view/rows.h"

struct assessment;

#define LAYOUT_GUTTER 3 /* tag, mark or fold sign, blank */
#define LAYOUT_GAP    2

struct slot {
	enum column_id id;
	int x, width;
	bool narrow; /* in as few columns as can be */
};

struct layout {
	struct slot slots[COLUMN_COUNT];
	size_t n_slots;
	unsigned int shown; /* 1 << enum column_id */
};

/* The columns for a table so wide: as the rows' connections need, without those that say what the
 * grouping says. headings: there is a line with their titles. */
struct layout layout_columns(const struct assessment *assessment, const struct rows *rows,
	enum grouping grouping, bool headings, int width);

#endif
