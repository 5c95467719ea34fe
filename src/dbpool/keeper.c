/* The keeper: one thread that looks after the pool once in a while, and in the end shuts it down.
 */
#include "dbpool/pool.h"

#define LONGEST_TICK  INT64_C(1000000) /* docs/stats-page.md promises it */
#define SHORTEST_TICK INT64_C(10000)

/* A leak is reported soon after it is one. */
static int64_t tick_length(const struct dbpool *pool)
{
	int64_t held = pool->config.held, reclaim = pool->config.reclaim;
	int64_t tick = (held < reclaim ? held : reclaim) / 4;
	return tick < SHORTEST_TICK ? SHORTEST_TICK : tick > LONGEST_TICK ? LONGEST_TICK : tick;
}

static struct dbpool_event describe(const struct dbpool *pool, const struct slot *slot,
	enum dbpool_event_kind kind, int64_t now)
{
	return (struct dbpool_event){
		.kind = kind,
		.slot = slot_number(pool, slot),
		.backend_pid = slot->link->backend_pid,
		.thread = slot->thread,
		.site = slot->site,
		.usec = now - slot->since,
	};
}

static bool is_held_for(const struct slot *slot, int64_t limit, int64_t now)
{
	return slot->state == SLOT_HELD && now - slot->since >= limit;
}

/* With the pool's lock held. True when there was one to be told. */
static bool find_leak(struct dbpool *pool, int64_t now, struct dbpool_event *ret_event)
{
	bool found = false;
	for (unsigned i = 0; i < pool->config.max && !found; i++) {
		struct slot *slot = &pool->slots[i];
		slot_lock(slot);
		found = is_held_for(slot, pool->config.held, now) && !slot->leaked;
		if (found) {
			slot->leaked = true;
			page_slot_leaked(slot->page);
			*ret_event = describe(pool, slot, DBPOOL_EVENT_LEAK, now);
		}
		slot_unlock(slot);
	}
	if (found)
		page_add(pool->page->totals.leaked, 1);
	return found;
}

/* With the pool's lock held, so that its borrower's release cannot free the link meanwhile. */
static bool find_overdue(struct dbpool *pool, int64_t now, struct dbpool_event *ret_event)
{
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct slot *slot = &pool->slots[i];
		struct link *link = NULL;
		slot_lock(slot);
		if (is_held_for(slot, pool->config.reclaim, now)) {
			*ret_event = describe(pool, slot, DBPOOL_EVENT_RECLAIMED, now);
			link = slot_detach(pool, slot, now);
		}
		slot_unlock(slot);
		if (!link)
			continue;
		page_add(pool->page->totals.reclaimed, 1);
		link_cancel(link);
		orphan_add(pool, slot, link, false);
		return true;
	}
	return false;
}

typedef bool find_fn(struct dbpool *pool, int64_t now, struct dbpool_event *ret_event);

/* With the lock held; it is released for each that is told. */
static void watch_holds(struct dbpool *pool, find_fn *find, const char *what)
{
	struct dbpool_event event;
	while (find(pool, now_usec(), &event)) {
		char held[24];
		pthread_mutex_unlock(&pool->lock);
		tell(pool, &event, "slot %d %s: held for %s by thread %d from %s", event.slot, what,
			say_usec(event.usec, held), event.thread,
			event.site ? event.site : "an unknown place");
		pthread_mutex_lock(&pool->lock);
	}
}

/* Those that have rested for long are the ones nobody needs. With the pool's lock held. */
static void expire(struct dbpool *pool)
{
	int64_t now = now_usec();
	unsigned n = slots_count(pool, SLOT_IDLE) + slots_count(pool, SLOT_HELD);
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct slot *slot = &pool->slots[i];
		slot_lock(slot);
		bool unneeded =
			now - slot->since > pool->config.idle_lifetime && n > pool->config.min;
		bool expired = slot->state == SLOT_IDLE && (unneeded || slot_is_spent(slot, now));
		if (expired)
			slot_change(slot, SLOT_CLOSING, now);
		slot_unlock(slot);
		if (expired) {
			n--;
			connector_wake(pool);
		}
	}
}

void *keeper_run(void *data)
{
	struct dbpool *pool = data;
	int64_t tick = tick_length(pool), pause = SHORTEST_TICK;
	pthread_mutex_lock(&pool->lock);
	/* often in the beginning: the clock needs some comparisons before it is quick */
	for (; !pool->stop; pause = pause * 2 < tick ? pause * 2 : tick) {
		clock_tune();
		wait_until(pool, &pool->tick, now_usec() + pause);
		page_beat(pool->page);
		watch_holds(pool, find_leak, "leaks");
		watch_holds(pool, find_overdue, "is taken back");
		expire(pool);
		pthread_mutex_unlock(&pool->lock);
		page_writer_keep(pool->writer);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	shutdown_run(pool);
	return NULL;
}
