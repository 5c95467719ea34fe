/* Describes a problem: a sentence, the server's error, and what to do next. */
#ifndef VIEW_TROUBLE_H
#define VIEW_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

struct assessment;

#define TROUBLE_TEXT_MAX 256

struct trouble {
	char summary[TROUBLE_TEXT_MAX]; /* "data 14s old: reconnecting (server full)" */
	char retry[TROUBLE_TEXT_MAX];   /* "trying again in 4s"; "" if there will be no attempt */
	const char *error;              /* the server's error; NULL */
	const char *hint;               /* NULL */
	char start[TROUBLE_TEXT_MAX];   /* a hint that names a command */
};

/* Returns false if there is no problem. Strings of the assessment are not copied. */
bool trouble_get(const struct assessment *assessment, int64_t now, struct trouble *ret_trouble);

/* The age of the rows; −1 if there are none. */
int64_t trouble_age(const struct assessment *assessment, int64_t now);

/* Whether the rows are older than they should be. */
bool trouble_is_stale(const struct assessment *assessment);

#endif
