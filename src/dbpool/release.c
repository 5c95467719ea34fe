/* Gives connections back. */
#include "dbpool/event.h"
#include "dbpool/lifetime.h"
#include "dbpool/link.h"
#include "dbpool/queue.h"
#include "dbpool/slot.h"
#include "dbpool/util.h"

/* Releases a lease whose ticket is stale. If the connection was taken from this borrower, its link
 * is freed now. The pool's mutex is held, and is released. */
static int release_orphan(struct dbpool *pool, const struct dbpool_lease *lease)
{
	struct pool_link *link = orphan_find(pool, lease);
	if (link)
		pool_leave(pool);
	else
		pthread_mutex_unlock(&pool->lock);
	link_free(link);
	return fail(DBPOOL_STALE,
		link ? "the pool has taken the connection back"
		     : "the connection was given back before");
}

/* Closes a link that the shutdown did not wait for. The pool's mutex is held, and is released. */
static void close_late(struct dbpool *pool, struct link_slot *slot)
{
	struct pool_link *link = slot->link;
	slot->link = NULL;
	pthread_mutex_unlock(&pool->lock);
	link_drop(link);
	pthread_mutex_lock(&pool->lock);
	page_add(pool->page->totals.closed, 1);
	slot_change(pool, slot, SLOT_EMPTY, now_usec());
	pool_leave(pool);
}

static void report_released(const struct dbpool *pool, struct dbpool_event *event)
{
	char held[24];
	report_event(pool, event, "slot %d: thread %d released it after %s, acquired at %s",
		event->slot, event->thread, format_usec(event->usec, held), site_of(event));
}

/* Cleans the link or discards it, then offers the slot to the waiters. The slot is SLOT_CLEANING,
 * so only this thread uses it. The pool's mutex is held, and is released. */
static void clean_and_offer(
	struct dbpool *pool, struct link_slot *slot, bool discard, struct dbpool_event *released)
{
	struct pool_link *link = slot->link;
	pthread_mutex_unlock(&pool->lock);
	bool broken = link->finished || PQstatus(link->conn) != CONNECTION_OK;
	bool good = !discard && link_clean(link, pool->config.raw.reset);
	struct dbpool_event lost = *released;
	lost.kind = DBPOOL_EVENT_LOST;
	lost.warning = 1;
	if (broken && !discard)
		report_event(pool, &lost, "slot %d: the connection is broken, and is replaced",
			lost.slot);
	if (pool->config.raw.log_borrowing)
		report_released(pool, released);
	pthread_mutex_lock(&pool->lock);
	int64_t now = now_usec();
	if (broken) {
		pool->suspect = now;
		page_add(pool->page->totals.errors, 1);
		page_add(pool->page->totals.lost_slots, 1);
	}
	if (pool->closed) {
		close_late(pool, slot);
		return;
	}
	if (good && !slot_is_spent(pool, slot, now))
		queue_offer(pool, slot, now);
	else
		slot_give_up(pool, slot, now);
	if (pool->phase > DBPOOL_RUNNING)
		pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

/* True when the connection can be lent again as it is: the common case. */
static bool is_ready(const struct dbpool *pool, const struct link_slot *slot, int64_t now)
{
	return !pool->config.raw.log_borrowing && pool->phase <= DBPOOL_RUNNING &&
		link_is_clean(slot->link) && !slot_is_spent(pool, slot, now);
}

static int release(const struct dbpool_lease *lease, bool discard)
{
	struct dbpool *pool = lease->pool_;
	struct link_slot *slot = &pool->slots[lease->slot_];
	int64_t now = now_usec();
	pthread_mutex_lock(&pool->lock);
	if (!slot_is_lent_to(slot, lease))
		return release_orphan(pool, lease);
	if (!discard && is_ready(pool, slot, now)) {
		slot_take_back(pool, slot, now);
		queue_offer(pool, slot, now);
		pthread_mutex_unlock(&pool->lock);
		return DBPOOL_OK;
	}
	struct dbpool_event released = {
		.kind = DBPOOL_EVENT_RELEASED,
		.slot = slot_number(pool, slot),
		.backend_pid = slot->link->backend_pid,
		.thread = slot->thread,
		.site = slot->site,
		.usec = now - slot->since,
	};
	slot_take_back(pool, slot, now);
	clean_and_offer(pool, slot, discard, &released);
	return DBPOOL_OK;
}

static int give_back(struct dbpool_lease *lease, bool discard)
{
	if (!lease || !lease->conn_)
		return fail(DBPOOL_STALE, "the lease holds no connection");
	struct dbpool_lease copy = *lease;
	lease->conn_ = NULL;
	if (copy.pool_->forked)
		return fail(DBPOOL_FORKED, "the connection belongs to the parent process");
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
