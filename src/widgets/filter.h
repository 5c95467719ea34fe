/* The filter that the user types after /: terms, all of which a connection must match.
 *
 * A term is text that is found in any shown field, or field:text for one field; ! before either
 * negates it. Upper and lower case are equal. */
#ifndef WIDGETS_FILTER_H
#define WIDGETS_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "widgets/columns.h"

#define FILTER_TEXT_MAX  256
#define FILTER_TERMS_MAX 16 /* more are ignored */

struct assessment;
struct connection;

struct filter_term {
	size_t from, length;   /* points into the filter's text */
	enum column_id column; /* COLUMN_NONE: any */
	bool negated;
};

struct filter {
	char text[FILTER_TEXT_MAX]; /* as typed; clean UTF-8 */
	struct filter_term terms[FILTER_TERMS_MAX];
	size_t n_terms;
};

/* A text that is too long is cut after a whole character. */
void filter_set(struct filter *filter, const char *text);

bool filter_matches(const struct filter *filter, const struct assessment *assessment,
	const struct connection *connection);

/* Whether one text has all terms; the fields that they name do not count. */
bool filter_matches_text(const struct filter *filter, const char *text);

/* Finds the first match, at or after `from`, of a term that applies to this column. Returns its
 * byte offset and sets *ret_length; −1 if there is none. */
long filter_find(const struct filter *filter, enum column_id column, const char *text, size_t from,
	size_t *ret_length);

#endif
