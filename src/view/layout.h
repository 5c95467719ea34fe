/* Which columns there is room for, and where each begins. */
#ifndef VIEW_LAYOUT_H
#define VIEW_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "view/columns.h"
#include "view/rows.h"

struct assessment;
struct connection;

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
	bool left, right;   /* there are more columns that way */
	bool blanks;        /* cells that say what the group says are blank: layout_is_told() */
	int skipped;        /* columns of the statement's text that lie to the left */
	size_t most_pan;    /* further there is nothing to see */
};

struct layout_options {
	enum grouping grouping;
	bool headings;                 /* there is a line with their titles */
	int width;                     /* of the table */
	const enum column_id *columns; /* which, in that order */
	size_t n_columns;              /* 0: all that fit */
	size_t pan;                    /* how many have been moved out to the left */
};

/* The columns, as wide as the rows' connections need; without a choice of the user's those that say
 * what the grouping says are left out, and when there is no room, some that matter less. The first
 * one stays when the others are moved. */
struct layout layout_columns(const struct assessment *assessment, const struct rows *rows,
	const struct layout_options *options);

/* The cell is left blank: the group's line says it. */
bool layout_is_told(const struct assessment *assessment, const struct connection *connection,
	enum column_id id, enum grouping grouping);

#endif
