/* The table's columns: one row of a table for each. The rows drive drawing, sorting and filtering,
 * and which columns a narrow screen leaves out. */
#ifndef WIDGETS_COLUMNS_H
#define WIDGETS_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/style.h"

struct assessment;
struct connection;
struct line;

enum column_id {
	COLUMN_BACKEND,
	COLUMN_STATUS,
	COLUMN_FOR,
	COLUMN_PROCESS,
	COLUMN_APPLICATION,
	COLUMN_USER,
	COLUMN_DATABASE,
	COLUMN_CLIENT,
	COLUMN_CONTAINER,
	COLUMN_AGE,
	COLUMN_TRANSACTION,
	COLUMN_WAIT,
	COLUMN_QUERY,
};
#define COLUMN_COUNT (COLUMN_QUERY + 1)
#define COLUMN_NONE  ((enum column_id)COLUMN_COUNT)

struct column {
	const char *title;
	const char *field, *alias; /* its names in a filter; alias may be NULL */
	bool right;                /* numbers and ages */
	int widest;                /* 0: takes the remaining width */
	int narrow;    /* 0: as wide as its contents; else the width is `widest` or this */
	bool optional; /* shown only if the configuration names it */
	/* The value as the model has it; NULL when not known. Sorts by it, NULL last. Columns that
	 * are more than a text have a format instead, and NULL here. */
	const char *(*text)(
		const struct assessment *assessment, const struct connection *connection);
	/* Writes what is shown; with `narrow` in as few columns as possible. NULL:
	 * writes the text. */
	void (*format)(const struct assessment *assessment, const struct connection *connection,
		bool narrow, struct line *line);
	/* The width that it needs; NULL: that of the text. */
	int (*measure)(const struct connection *connection);
	/* Whether the process's title or the line of its group already shows the value. NULL:
	 * never. A column that has only such values is left out; a value that the group shows is
	 * left blank. */
	bool (*is_redundant)(
		const struct assessment *assessment, const struct connection *connection);
	/* Sorts by this, smallest first; NULL: sorts by the text. */
	uint64_t (*key)(const struct connection *connection);
};

const struct column *column_get(enum column_id id);

/* The names for the configuration's `columns`: the fields in the order of the table, then the
 * aliases. */
const char *const *column_names(size_t *ret_count);

/* Finds a column by a name of `length` bytes or by the beginning of one; COLUMN_NONE if there is
 * none. */
enum column_id column_find(const char *name, size_t length);

void column_format(enum column_id id, const struct assessment *assessment,
	const struct connection *connection, bool narrow, struct line *line);
/* The width that the connection needs in a column that is as wide as its contents. `known` is the
 * widest so far: a result below it need not be exact. */
int column_measure(enum column_id id, const struct assessment *assessment,
	const struct connection *connection, int known);

#endif
