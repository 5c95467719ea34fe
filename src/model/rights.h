/* What our role may see and end on the server, and the GRANT that is missing. */
#ifndef MODEL_RIGHTS_H
#define MODEL_RIGHTS_H

#include <stdbool.h>

struct assessment;

#define RIGHTS_TEXT_MAX  384
#define RIGHTS_GRANT_MAX 256

struct rights {
	bool known;              /* the server has reported them */
	const char *sees, *ends; /* "every session" */
	/* "GRANT pg_monitor TO dbtop;"; "" if the role has the right. */
	char see_grant[RIGHTS_GRANT_MAX], end_grant[RIGHTS_GRANT_MAX];
};

void rights_get(const struct assessment *assessment, struct rights *ret_rights);

/* A sentence with one GRANT for all missing rights; "" if none is missing, or if they are not
 * known. Returns text. */
char *rights_missing(const struct assessment *assessment, char text[static RIGHTS_TEXT_MAX]);

#endif
