/* A connection's locks in words: what it waits for, whom it blocks, what it holds. Text is in the
 * arena, or static; NULL is "nothing to tell". */
#ifndef VIEW_EXPLAIN_LOCKS_H
#define VIEW_EXPLAIN_LOCKS_H

#include "model/assessment.h"

/* "AccessExclusiveLock on outbox, for 4m12s" */
const char *explain_lock_wait(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* A line each: "9912 app/4312/1, idle in transaction" */
const char *explain_blocked_by(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);
const char *explain_blocks(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* A line each: "RowExclusiveLock on outbox"; none is a word, too. */
const char *explain_locks_held(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* "1.2s ago", why there are none, or that they are being asked for. */
const char *explain_locks_age(struct arena *arena, const struct assessment *assessment);

#endif
