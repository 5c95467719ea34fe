/* What the user types after /: terms that a connection must match, all of them.
 *
 * A term is text found in any shown field, field:text for one of them, and either with ! in front
 * for the opposite. Letters match in either case. */
#ifndef VIEW_FILTER_H
#define VIEW_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "view/columns.h"

#define FILTER_TEXT_MAX  256
#define FILTER_TERMS_MAX 16 /* more are ignored */

struct assessment;
struct connection;

struct filter_term {
	size_t from, length;   /* the text, in the filter's */
	enum column_id column; /* COLUMN_NONE: any */
	bool negated;
};

struct filter {
	char text[FILTER_TEXT_MAX]; /* as typed; clean UTF-8 */
	struct filter_term terms[FILTER_TERMS_MAX];
	size_t n_terms;
};

/* Cut at a whole character when too long. */
void filter_set(struct filter *filter, const char *text);

bool filter_matches(const struct filter *filter, const struct assessment *assessment,
	const struct connection *connection);

/* The first place at or after `from` where one of the terms that look into this column stands in
 * text: its byte, and *ret_length; −1 for none. */
long filter_find(const struct filter *filter, enum column_id column, const char *text, size_t from,
	size_t *ret_length);

#endif
