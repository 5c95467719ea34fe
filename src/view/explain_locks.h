/* A connection's locks in words: what it waits for, which sessions it blocks, what it holds. The
 * text is in the arena, or static; NULL if there is nothing to show. */
#ifndef VIEW_EXPLAIN_LOCKS_H
#define VIEW_EXPLAIN_LOCKS_H

#include "model/assessment.h"

/* "AccessExclusiveLock on outbox, for 4m12s" */
const char *explain_lock_wait(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* One line for each blocked session: "9912 app/4312/1, idle in transaction" */
const char *explain_blocked_by(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);
const char *explain_blocks(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* One line for each lock: "RowExclusiveLock on outbox"; a word if it holds none. */
const char *explain_locks_held(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* How old the locks are: "1.2s ago"; or why there are none, or that dbtop is waiting for the
 * answer. */
const char *explain_locks_age(struct arena *arena, const struct assessment *assessment);

#endif
