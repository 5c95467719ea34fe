/* What the overview's columns show of a server. */
#ifndef VIEW_OVERVIEW_CELLS_H
#define VIEW_OVERVIEW_CELLS_H

#include <stdbool.h>
#include <stdint.h>
#include <uchar.h>

#include "widgets/line.h"

struct filter;
struct server_row;

enum overview_column {
	OVERVIEW_NAME,
	OVERVIEW_GAUGE,
	OVERVIEW_USED,
	OVERVIEW_FREE,
	OVERVIEW_LEAKED,
	OVERVIEW_TRANSACTION,
	OVERVIEW_WAITING,
	OVERVIEW_AGE,
	OVERVIEW_STATUS, /* what it needs: sorted by this first */
};
#define OVERVIEW_COLUMNS (OVERVIEW_STATUS + 1)

struct overview_sign {
	char32_t sign; /* ' ': nothing is wrong */
	enum style style;
};

/* The sign before the row: what colours say, without colours. */
struct overview_sign overview_sign_of(const struct server_row *row);

/* NULL for the gauge, which is no text. */
const char *overview_title(enum overview_column column);
bool overview_is_right(enum overview_column column);

/* Begins the line and fills it; it stays empty for what is not known. */
void overview_format(
	const struct server_row *row, enum overview_column column, int64_t now, struct line *line);

/* Appends the server's own words for its trouble, if there are any, and what to do next. */
void overview_add_error(const struct server_row *row, bool with_hint, struct line *line);

/* Whether name, place or state of the server match. */
bool overview_row_matches(const struct server_row *row, const struct filter *filter);

#endif
