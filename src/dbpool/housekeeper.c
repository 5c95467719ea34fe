/* The housekeeper: a thread that checks the pool periodically and runs its shutdown. */
#include "dbpool/housekeeper.h"

#include "dbpool/event.h"
#include "dbpool/shutdown.h"
#include "dbpool/slot.h"
#include "dbpool/state.h"
#include "dbpool/util.h"

#define LONGEST_TICK  INT64_C(1000000) /* docs/stats-page.md promises this */
#define SHORTEST_TICK INT64_C(10000)

/* A quarter of the shorter limit, so that a leak is reported soon after it became one. */
static int64_t tick_length(const struct dbpool *pool)
{
	int64_t held = pool->config.held, reclaim = pool->config.reclaim;
	int64_t tick = (held < reclaim ? held : reclaim) / 4;
	return tick < SHORTEST_TICK ? SHORTEST_TICK : tick > LONGEST_TICK ? LONGEST_TICK : tick;
}

static struct dbpool_event describe(const struct dbpool *pool, const struct pool_slot *slot,
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

static bool is_held_for(const struct pool_slot *slot, int64_t limit, int64_t now)
{
	return slot->state == SLOT_HELD && now - slot->since >= limit;
}

/* Finds a hold that is a leak and was not reported yet. */
static bool find_leak(struct dbpool *pool, int64_t now, struct dbpool_event *ret_event)
{
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct pool_slot *slot = &pool->slots[i];
		if (!is_held_for(slot, pool->config.held, now) || slot->leaked)
			continue;
		slot->leaked = true;
		page_slot_leaked(slot->page);
		page_add(pool->page->totals.leaked, 1);
		*ret_event = describe(pool, slot, DBPOOL_EVENT_LEAK, now);
		return true;
	}
	return false;
}

/* Takes a connection back that is held for too long. */
static bool find_overdue(struct dbpool *pool, int64_t now, struct dbpool_event *ret_event)
{
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct pool_slot *slot = &pool->slots[i];
		if (!is_held_for(slot, pool->config.reclaim, now))
			continue;
		*ret_event = describe(pool, slot, DBPOOL_EVENT_RECLAIMED, now);
		link_cancel(slot->link);
		orphan_make(pool, slot, false, now);
		page_add(pool->page->totals.reclaimed, 1);
		return true;
	}
	return false;
}

typedef bool find_fn(struct dbpool *pool, int64_t now, struct dbpool_event *ret_event);

/* Reports all that `find` finds. The pool's mutex is held; it is released for each report. */
static void watch_holds(struct dbpool *pool, find_fn *find, const char *what)
{
	struct dbpool_event event;
	while (find(pool, now_usec(), &event)) {
		char held[24];
		pthread_mutex_unlock(&pool->lock);
		report_event(pool, &event, "slot %d %s: held for %s by thread %d from %s",
			event.slot, what, format_usec(event.usec, held), event.thread,
			event.site ? event.site : "an unknown place");
		pthread_mutex_lock(&pool->lock);
	}
}

/* Closes connections that are spent, and those above min that have been idle for too long. The
 * pool's mutex is held. */
static void expire(struct dbpool *pool)
{
	int64_t now = now_usec();
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct pool_slot *slot = &pool->slots[i];
		if (slot->state != SLOT_IDLE)
			continue;
		bool unneeded = now - slot->since > pool->config.idle_lifetime &&
			slots_open(pool) > pool->config.min;
		if (unneeded || slot_is_spent(pool, slot, now))
			slot_give_up(pool, slot, now);
	}
}

void *housekeeper_run(void *data)
{
	struct dbpool *pool = data;
	int64_t tick = tick_length(pool);
	pthread_mutex_lock(&pool->lock);
	while (!pool->stop) {
		wait_until(&pool->tick, &pool->lock, now_usec() + tick);
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
