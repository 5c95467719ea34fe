/* What to say when all is not well: a sentence, what the server said, and what to do next. */
#ifndef VIEW_TROUBLE_H
#define VIEW_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

struct assessment;

#define TROUBLE_TEXT_MAX 256

struct trouble {
	char summary[TROUBLE_TEXT_MAX]; /* "data 14s old: reconnecting (server full)" */
	char retry[TROUBLE_TEXT_MAX];   /* "trying again in 4s"; "" when it will not */
	const char *error;              /* the server's own words; NULL */
	const char *hint;               /* NULL */
};

/* False when there is nothing to say. Strings of the assessment are not copied. */
bool trouble_get(const struct assessment *assessment, int64_t now, struct trouble *ret_trouble);

/* The age of the rows shown: −1 without any. */
int64_t trouble_age(const struct assessment *assessment, int64_t now);

/* Whether the rows are older than they should be. */
bool trouble_is_stale(const struct assessment *assessment);

#endif
