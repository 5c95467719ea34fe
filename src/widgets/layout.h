/* Decides which columns fit, and where each begins. */
#ifndef WIDGETS_LAYOUT_H
#define WIDGETS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "widgets/columns.h"
#include "widgets/rows.h"

struct assessment;
struct connection;

#define LAYOUT_GUTTER 3 /* tag, mark or fold sign, blank */
#define LAYOUT_GAP    2

struct slot {
	enum column_id id;
	int x, width;
	bool narrow; /* in as few columns as possible */
};

struct layout {
	struct slot slots[COLUMN_COUNT];
	size_t n_slots;
	unsigned int shown; /* 1 << enum column_id */
	bool left, right;   /* more columns are hidden on that side */
	bool blanks; /* cells whose value the group's row shows are blank: layout_group_shows() */
	int skipped; /* columns of the statement's text that are moved out to the left */
	size_t most_pan; /* the largest useful `pan` */
};

struct layout_options {
	enum grouping grouping;
	bool headings;                 /* there is a line with the columns' titles */
	int width;                     /* of the table */
	const enum column_id *columns; /* the user's choice, in that order */
	size_t n_columns;              /* 0: all that fit */
	size_t pan;                    /* how many columns are moved out to the left */
};

/* Lays out the columns, as wide as the rows' connections need. Unless the user chose the columns,
 * those whose value the grouping shows are left out, and if there is no room also some that are
 * less important. The first column stays when the others are moved. */
struct layout layout_columns(const struct assessment *assessment, const struct rows *rows,
	const struct layout_options *options);

/* Whether the cell is left blank because the group's row shows its value. */
bool layout_group_shows(const struct assessment *assessment, const struct connection *connection,
	enum column_id id, enum grouping grouping);

#endif
