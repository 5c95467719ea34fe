/* Describes the pool of a connection, of libdbpool or of PgBouncer. The text is in the arena; NULL
 * if there is nothing to show. */
#ifndef VIEW_EXPLAIN_POOL_H
#define VIEW_EXPLAIN_POOL_H

#include "model/assessment.h"

/* "app of process 4312, running: 2 of 3 in use, 0 waiting" */
const char *explain_pool(struct arena *arena, const struct connection *connection);

/* "12 writes wait, the oldest for 3m12s; 2 were rejected". *ret_caution: something was rejected. */
const char *explain_outbox(
	struct arena *arena, const struct connection *connection, bool *ret_caution);

/* "1, borrowed 7m12s ago at sync.c:212 by thread 4315" */
const char *explain_slot(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* "app/app at 127.0.0.1:6432, transaction mode: 3 servers, 2 clients waiting" */
const char *explain_bouncer(struct arena *arena, const struct connection *connection);

/* "client 127.0.0.1:51000 (jobs) is linked to it" */
const char *explain_link(struct arena *arena, const struct connection *connection);

#endif
