/* The queue of waiters. All functions need the pool's mutex. */
#ifndef DBPOOL_QUEUE_H
#define DBPOOL_QUEUE_H

#include "dbpool/state.h"

void queue_append(struct dbpool *pool, struct pool_waiter *waiter);
void queue_prepend(struct dbpool *pool, struct pool_waiter *waiter);
void queue_remove(struct dbpool *pool, struct pool_waiter *waiter);
/* True when the first waiter has waited long enough not to be overtaken. */
bool queue_has_priority(const struct dbpool *pool, int64_t now);
/* Gives a slot whose connection is free to the first waiter if it has priority, else to the
 * reserve. */
void queue_offer(struct dbpool *pool, struct link_slot *slot, int64_t now);
/* Wakes the first waiter if a connection is idle. */
void queue_nudge(struct dbpool *pool);
void queue_fail_all(struct dbpool *pool, int result);

#endif
