/* The table's columns: one row of a table each, which drives drawing, sorting, filtering and what
 * goes first when the screen is narrow. */
#ifndef VIEW_COLUMNS_H
#define VIEW_COLUMNS_H

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
	int widest;                /* 0: takes what the others leave */
	int narrow;                /* 0: as wide as its contents; else always one of the two */
	bool optional;             /* only there when the configuration names it */
	/* What it says, as it is in the model; NULL when not known. Sorts by it, NULL last. NULL
	 * for columns that are more than a name; those have a format. */
	const char *(*text)(
		const struct assessment *assessment, const struct connection *connection);
	/* What is shown; `narrow`: in as few columns as can be. NULL: the text. */
	void (*format)(const struct assessment *assessment, const struct connection *connection,
		bool narrow, struct line *line);
	/* The columns it needs; NULL: the text's. */
	int (*measure)(const struct connection *connection);
	/* Whether the title says it already, or the line of its process's group. NULL: never. A
	 * column of nothing else is left out; what the group says is left blank. */
	bool (*is_told)(const struct assessment *assessment, const struct connection *connection);
	/* Sorts by this, smallest first; NULL: by the text. */
	uint64_t (*key)(const struct connection *connection);
};

const struct column *column_get(enum column_id id);

/* The names for the configuration's `columns`, in the order of the table, the other names last. */
const char *const *column_names(size_t *ret_count);

/* By a name of `length` bytes, or its beginning; COLUMN_NONE for none. */
enum column_id column_find(const char *name, size_t length);

void column_format(enum column_id id, const struct assessment *assessment,
	const struct connection *connection, bool narrow, struct line *line);
/* The columns the connection needs in a column that is as wide as its contents; `known`: what
 * others need, and less than that need not be exact. */
int column_measure(enum column_id id, const struct assessment *assessment,
	const struct connection *connection, int known);

/* The style a connection's row is written in. */
enum style column_row_style(const struct connection *connection);

#endif
