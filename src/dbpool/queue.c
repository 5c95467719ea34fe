/* The queue of waiters. All functions need the pool's mutex.
 *
 * Waiters are served in order, in two ways. Passing each connection straight to the first waiter is
 * strictly fair, but slow when connections are held for microseconds: the connection is unused
 * while the waiter wakes up, and each release costs two context switches. So at first a release
 * only wakes the waiter: the connection goes to the reserve, and a running thread may take it
 * before the waiter does. A waiter that has waited for three milliseconds gets the connection
 * directly, and nobody overtakes it any more. */
#include "dbpool/queue.h"

#include "dbpool/slot.h"

#define PRIORITY_USEC 3000

static void count(struct dbpool *pool, int change)
{
	pool->n_waiters += (unsigned)change;
	page_set(pool->page->totals.waiters, pool->n_waiters);
}

void queue_append(struct dbpool *pool, struct pool_waiter *waiter)
{
	waiter->next = NULL;
	waiter->previous = pool->last_waiter;
	*(pool->last_waiter ? &pool->last_waiter->next : &pool->first) = waiter;
	pool->last_waiter = waiter;
	count(pool, 1);
}

void queue_prepend(struct dbpool *pool, struct pool_waiter *waiter)
{
	waiter->previous = NULL;
	waiter->next = pool->first;
	*(pool->first ? &pool->first->previous : &pool->last_waiter) = waiter;
	pool->first = waiter;
	count(pool, 1);
}

void queue_remove(struct dbpool *pool, struct pool_waiter *waiter)
{
	*(waiter->previous ? &waiter->previous->next : &pool->first) = waiter->next;
	*(waiter->next ? &waiter->next->previous : &pool->last_waiter) = waiter->previous;
	count(pool, -1);
}

bool queue_has_priority(const struct dbpool *pool, int64_t now)
{
	return pool->first && now - pool->first->since >= PRIORITY_USEC;
}

static void wake(struct pool_waiter *waiter, enum waiter_state state)
{
	waiter->state = state;
	pthread_cond_signal(&waiter->woken);
}

void queue_nudge(struct dbpool *pool)
{
	struct pool_waiter *first = pool->first;
	if (first && first->state == WAITER_SLEEPS && pool->n_slots[SLOT_IDLE])
		wake(first, WAITER_NUDGED);
}

void queue_offer(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	struct pool_waiter *first = pool->first;
	if (queue_has_priority(pool, now)) {
		queue_remove(pool, first);
		slot_lend(pool, slot, first->borrower, now);
		wake(first, WAITER_SERVED);
	} else {
		slot_rest(pool, slot, now);
		queue_nudge(pool);
	}
}

void queue_fail_all(struct dbpool *pool, int result)
{
	while (pool->first) {
		struct pool_waiter *waiter = pool->first;
		queue_remove(pool, waiter);
		waiter->result = result;
		wake(waiter, WAITER_FAILED);
	}
}
