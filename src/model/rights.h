/* What our role may see and end on the server, and the GRANT that is missing. */
#ifndef MODEL_RIGHTS_H
#define MODEL_RIGHTS_H

#include <stdbool.h>

struct assessment;

#define RIGHTS_TEXT_MAX  256
#define RIGHTS_GRANT_MAX 192

struct rights {
	bool known;              /* the server has told */
	const char *sees, *ends; /* "every session" */
	/* "GRANT pg_monitor TO dbtop;", "" when it has the right. */
	char see_grant[RIGHTS_GRANT_MAX], end_grant[RIGHTS_GRANT_MAX];
};

void rights_get(const struct assessment *assessment, struct rights *ret_rights);

/* A sentence with one GRANT for all that is missing; "" when nothing is, or when it is not known.
 * Returns text. */
char *rights_missing(const struct assessment *assessment, char text[static RIGHTS_TEXT_MAX]);

#endif
