/* The queue of waiters.
 *
 * Waiters are served in order, in two ways. Passing each connection straight to the first waiter is
 * strictly fair, but slow when connections are held for microseconds: the connection is unused
 * while the waiter wakes up, and each release costs two context switches. So at first a release
 * only wakes the waiter (nudge): the connection goes to the reserve, and a running thread may take
 * it before the waiter does. A waiter that has waited for three milliseconds gets the connection
 * directly, and nobody overtakes it any more.
 *
 * Each waiter sleeps on a word (a futex) on its own stack. The thread that wakes it uses only the
 * word's address, because the waiter may have returned already. If the memory has been reused by
 * then, the wake-up at worst wakes another sleeper once too often. */
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dbpool/pool.h"

#define PRIORITY_USEC 3000

/* Stores what releases read without the lock. */
static void publish(struct dbpool *pool)
{
	const struct waiter *first = pool->first;
	atomic_store(&pool->queued, first ? first->since : INT64_MAX);
	atomic_store(&pool->nudge, first && first->word == WAITER_WAITS);
}

static void count(struct dbpool *pool, int change)
{
	pool->n_waiters += (unsigned)change;
	page_set(pool->page->totals.waiters, pool->n_waiters);
	publish(pool);
}

void queue_append(struct dbpool *pool, struct waiter *waiter)
{
	waiter->next = NULL;
	waiter->previous = pool->last_waiter;
	*(pool->last_waiter ? &pool->last_waiter->next : &pool->first) = waiter;
	pool->last_waiter = waiter;
	count(pool, 1);
}

void queue_prepend(struct dbpool *pool, struct waiter *waiter)
{
	waiter->previous = NULL;
	waiter->next = pool->first;
	*(pool->first ? &pool->first->previous : &pool->last_waiter) = waiter;
	pool->first = waiter;
	count(pool, 1);
}

void queue_remove(struct dbpool *pool, struct waiter *waiter)
{
	*(waiter->previous ? &waiter->previous->next : &pool->first) = waiter->next;
	*(waiter->next ? &waiter->next->previous : &pool->last_waiter) = waiter->previous;
	count(pool, -1);
}

bool queue_has_priority(const struct dbpool *pool, int64_t now)
{
	return now - atomic_load_explicit(&pool->queued, memory_order_relaxed) >= PRIORITY_USEC;
}

static void set_word(struct waiter *waiter, enum waiter_word word)
{
	__atomic_store_n(&waiter->word, word, __ATOMIC_RELEASE);
}

void queue_call(struct dbpool *pool, struct waiter *waiter)
{
	set_word(waiter, WAITER_WAITS);
	publish(pool);
}

struct waiter *queue_offer(struct dbpool *pool, struct slot *slot, int64_t now)
{
	struct waiter *waiter = queue_has_priority(pool, now) ? pool->first : NULL;
	if (waiter)
		queue_remove(pool, waiter);
	slot_lock(slot);
	if (waiter)
		slot_lend(pool, slot, waiter->borrower, now);
	else
		slot_rest(slot, now);
	slot_unlock(slot);
	if (!waiter)
		return queue_nudge(pool);
	set_word(waiter, WAITER_SERVED);
	return waiter;
}

struct waiter *queue_nudge(struct dbpool *pool)
{
	struct waiter *waiter = pool->first;
	if (!waiter || waiter->word != WAITER_WAITS || !slots_count(pool, SLOT_IDLE))
		return NULL;
	set_word(waiter, WAITER_NUDGED);
	publish(pool);
	return waiter;
}

void queue_fail_all(struct dbpool *pool, int result)
{
	while (pool->first) {
		struct waiter *waiter = pool->first;
		queue_remove(pool, waiter);
		waiter->result = result;
		set_word(waiter, WAITER_FAILED);
		/* the waiter cannot have returned: it needs the lock for that */
		queue_wake(waiter);
	}
}

void queue_wake(struct waiter *waiter)
{
	if (waiter)
		(void)syscall(SYS_futex, &waiter->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void queue_sleep(struct waiter *waiter, int64_t deadline)
{
	struct timespec ts = to_timespec(deadline);
	if (__atomic_load_n(&waiter->word, __ATOMIC_ACQUIRE) == WAITER_WAITS)
		(void)syscall(SYS_futex, &waiter->word, FUTEX_WAIT_BITSET_PRIVATE, WAITER_WAITS,
			deadline == INT64_MAX ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}
