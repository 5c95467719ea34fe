/* Gives connections back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dbpool/pool.h"

/* Releases a lease whose ticket is stale. If the connection was taken from this borrower, its link
 * is freed now. */
static int release_orphan(struct dbpool *pool, const struct dbpool_lease *lease)
{
	pthread_mutex_lock(&pool->lock);
	struct link *link = orphan_find(pool, lease);
	if (link)
		pool_leave(pool);
	else
		pthread_mutex_unlock(&pool->lock);
	int result = fail(DBPOOL_STALE,
		link ? "the connection was taken back" : "the connection was given back before");
	link_free(link);
	return result;
}

/* Closes a link that the shutdown did not wait for. The pool's mutex is held, and is released. */
static void close_late(struct dbpool *pool, struct slot *slot)
{
	struct link *link = slot->link;
	slot->link = NULL;
	pthread_mutex_unlock(&pool->lock);
	link_drop(link);
	pthread_mutex_lock(&pool->lock);
	page_add(pool->page->totals.closed, 1);
	slot_set(pool, slot, SLOT_EMPTY, now_usec());
	pool_leave(pool);
}

/* Cleans the link or discards it, then offers the slot to the waiters. The slot is SLOT_CLEANING,
 * so only this thread uses it. */
static void clean_and_offer(struct dbpool *pool, struct slot *slot, bool discard)
{
	struct link *link = slot->link;
	struct waiter *waiter = NULL;
	bool broken = link->finished || PQstatus(link->conn) != CONNECTION_OK;
	bool good = !discard && link_clean(link, pool->config.raw.reset);
	struct dbpool_event event = { .kind = DBPOOL_EVENT_LOST,
		.slot = slot_number(pool, slot),
		.backend_pid = link->backend_pid };
	if (broken && !discard)
		tell(pool, &event, "slot %d: the connection is broken, and is replaced",
			event.slot);
	pthread_mutex_lock(&pool->lock);
	int64_t now = now_usec();
	if (broken) {
		pool->suspect = now;
		page_add(pool->page->totals.errors, 1);
	}
	if (pool->closed) {
		close_late(pool, slot);
		return;
	}
	if (good && !slot_is_spent(slot, now))
		waiter = queue_offer(pool, slot, now);
	else
		slot_give_up(pool, slot, now);
	if (pool->phase > DBPOOL_RUNNING)
		pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	queue_wake(waiter);
}

/* True when a thread waits for a connection, or the pool shuts down. */
static bool somebody_waits(const struct dbpool *pool, int64_t now)
{
	return atomic_load(&pool->nudge) || atomic_load(&pool->phase) > DBPOOL_RUNNING ||
		queue_has_priority(pool, now);
}

/* The pool may be freed once the slot's lock is released: destroy() in pool.c takes each slot's
 * lock first. */
static int release(struct dbpool_lease *lease, bool discard)
{
	struct dbpool *pool = lease->pool_;
	struct slot *slot = &pool->slots[lease->slot_];
	int64_t now = now_quick();
	slot_lock(slot);
	if (atomic_load_explicit(&slot->ticket, memory_order_relaxed) != lease->ticket_) {
		slot_unlock(slot);
		return release_orphan(pool, lease);
	}
	slot_take_back(slot, now);
	bool rests = !discard && link_is_clean(slot->link) && !slot_is_spent(slot, now) &&
		!somebody_waits(pool, now);
	if (rests) {
		slot_rest(slot, now);
		rests = !somebody_waits(pool, now);
		if (!rests)
			slot_change(slot, SLOT_CLEANING, now);
	}
	slot_unlock(slot);
	if (!rests)
		clean_and_offer(pool, slot, discard);
	return DBPOOL_OK;
}

static int give_back(struct dbpool_lease *lease, bool discard)
{
	if (!lease || !lease->conn_)
		return fail(DBPOOL_STALE, "the lease holds no connection");
	struct dbpool_lease copy = *lease;
	lease->conn_ = NULL;
	if (copy.pool_->forked)
		return fail(DBPOOL_FORKED, "the connection is the parent process's");
	return release(&copy, discard);
}

int dbpool_release(struct dbpool_lease *lease)
{
	return give_back(lease, false);
}

int dbpool_discard(struct dbpool_lease *lease)
{
	return give_back(lease, true);
}

void dbpool_scope_end(struct dbpool_lease *lease)
{
	if (lease->conn_)
		(void)give_back(lease, false);
}
