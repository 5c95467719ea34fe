/* The housekeeper: a thread that checks the pool periodically and runs its shutdown. */
#include "dbpool/housekeeper.h"

#include "dbpool/event.h"
#include "dbpool/shutdown.h"
#include "dbpool/slot.h"
#include "dbpool/state.h"
#include "dbpool/util.h"

/* docs/stats-page.md promises a second; a lost session is noticed within one, too. */
#define LONGEST_TICK  INT64_C(500000)
#define SHORTEST_TICK INT64_C(10000)

/* A quarter of the shorter limit, so that a leak is reported soon after it became one. */
static int64_t tick_length(const struct dbpool *pool)
{
	int64_t held = pool->config.held, reclaim = pool->config.reclaim;
	int64_t tick = (held < reclaim ? held : reclaim) / 4;
	return tick < SHORTEST_TICK ? SHORTEST_TICK : tick > LONGEST_TICK ? LONGEST_TICK : tick;
}

/* Finds a hold that is a leak and is not reported as one. */
static bool is_new_leak(const struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	return !slot->leaked && now - slot_active(slot) >= pool->config.held;
}

static void report_leak(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	(void)now;
	slot->leaked = true;
	page_slot_leaked(slot->page, true);
	page_add(pool->page->totals.leaked, 1);
}

/* Finds a hold that was reported as a leak and has had a result since. */
static bool is_active_again(const struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	return slot->leaked && now - slot_active(slot) < pool->config.held;
}

static void take_report_back(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	(void)pool;
	(void)now;
	slot->leaked = false;
	page_slot_leaked(slot->page, false);
}

static bool is_lost(const struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	(void)pool;
	(void)now;
	return link_has_ended(slot->link);
}

static void free_lost(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	orphan_make(pool, slot, false, now);
	page_add(pool->page->totals.lost_slots, 1);
	page_add(pool->page->totals.errors, 1);
	pool->suspect = now;
}

static bool is_overdue(const struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	return now - slot->since >= pool->config.reclaim;
}

static void reclaim(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	link_cancel(slot->link);
	orphan_make(pool, slot, false, now);
	page_add(pool->page->totals.reclaimed, 1);
}

/* What is checked of each borrowed connection, and done about it, in this order. */
static const struct check {
	bool (*is_so)(const struct dbpool *pool, struct link_slot *slot, int64_t now);
	void (*act)(struct dbpool *pool, struct link_slot *slot, int64_t now);
	enum dbpool_event_kind kind;
	const char *text;
} checks[] = {
	{ is_lost, free_lost, DBPOOL_EVENT_LOST,
		"its session has ended, and the slot is free again" },
	{ is_overdue, reclaim, DBPOOL_EVENT_RECLAIMED, "is taken back" },
	{ is_new_leak, report_leak, DBPOOL_EVENT_LEAK, "leaks" },
	{ is_active_again, take_report_back, DBPOOL_EVENT_ACTIVE, "is in use again" },
};

/* Acts on one borrowed connection; NULL when there is nothing to be done. */
static const struct check *check_slot(
	struct dbpool *pool, struct link_slot *slot, struct dbpool_event *ret_event)
{
	int64_t now = now_usec();
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (slot->state != SLOT_HELD || !checks[i].is_so(pool, slot, now))
			continue;
		*ret_event = (struct dbpool_event){
			.kind = checks[i].kind,
			.slot = slot_number(pool, slot),
			.backend_pid = slot->link->backend_pid,
			.thread = slot->thread,
			.site = slot->site,
			.usec = now - slot->since,
			.warning = 1,
		};
		checks[i].act(pool, slot, now);
		return &checks[i];
	}
	return NULL;
}

/* Checks the borrowed connections. The pool's mutex is held; it is released for each report. */
static void check_holds(struct dbpool *pool)
{
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct dbpool_event event;
		const struct check *check = check_slot(pool, &pool->slots[i], &event);
		char held[24];
		if (!check)
			continue;
		pthread_mutex_unlock(&pool->lock);
		report_event(pool, &event, "slot %d %s: held for %s by thread %d from %s",
			event.slot, check->text, format_usec(event.usec, held), event.thread,
			site_of(&event));
		pthread_mutex_lock(&pool->lock);
	}
}

/* Closes connections that are spent, and those above min that have been idle for too long. The
 * pool's mutex is held. */
static void expire(struct dbpool *pool)
{
	int64_t now = now_usec();
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct link_slot *slot = &pool->slots[i];
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
		check_holds(pool);
		expire(pool);
		pthread_mutex_unlock(&pool->lock);
		page_writer_keep(pool->writer);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	shutdown_run(pool);
	return NULL;
}
