/* The states of a slot, here and on the stats page, and its lock. */
#include <sched.h>
#include <time.h>

#include "dbpool/pool.h"

/* The lock is held for less than a microsecond, unless its holder is preempted. Then it is better
 * to yield the processor, and, in case the holder has a lower priority, to sleep. */
#define SPINS  100
#define YIELDS 200

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

bool slot_try_lock(struct slot *slot)
{
	return !atomic_exchange_explicit(&slot->lock, 1, memory_order_acquire);
}

void slot_lock(struct slot *slot)
{
	for (unsigned tries = 0; !slot_try_lock(slot); tries++) {
		if (tries < SPINS)
			pause_briefly();
		else if (tries < SPINS + YIELDS)
			sched_yield();
		else
			(void)nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
}

void slot_unlock(struct slot *slot)
{
	atomic_store_explicit(&slot->lock, 0, memory_order_release);
}

static enum slot_state glance(const struct slot *slot)
{
	return atomic_load(&slot->state);
}

static void set_state(struct slot *slot, enum slot_state state)
{
	atomic_store_explicit(&slot->state, state, memory_order_relaxed);
}

static void move_ticket(struct slot *slot)
{
	uint64_t ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	atomic_store_explicit(&slot->ticket, ticket + 1, memory_order_relaxed);
}

void slot_lend(struct dbpool *pool, struct slot *slot, struct borrower *borrower, int64_t now)
{
	const char *site = borrower->site;
	/* a string literal always has the same address: its text is copied only when it changes */
	page_slot_held(slot->page, now, borrower->thread,
		site == slot->site ? NULL
			: site     ? site
				   : "");
	page_add(slot->page->counters.acquired, 1);
	page_add(slot->page->counters.at_once, borrower->at_once);
	move_ticket(slot);
	set_state(slot, SLOT_HELD);
	slot->since = now;
	slot->thread = borrower->thread;
	slot->site = site;
	slot->uses++;
	borrower->link = slot->link;
	borrower->lease->pool_ = pool;
	borrower->lease->slot_ = (int)(slot - pool->slots);
	borrower->lease->ticket_ = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	borrower->lease->conn_ = slot->link->conn;
}

void slot_take_back(struct slot *slot, int64_t now)
{
	struct page_counters *counters = &slot->page->counters;
	int64_t hold = now - slot->since;
	move_ticket(slot);
	page_add(counters->released, 1);
	page_add(counters->hold[page_bucket(hold)], 1);
	if (hold > counters->longest_hold)
		page_set(counters->longest_hold, hold);
	slot->leaked = false;
	set_state(slot, SLOT_CLEANING);
}

void slot_rest(struct slot *slot, int64_t now)
{
	slot->since = now;
	slot->thread = 0;
	page_slot_idle(slot->page, now);
	/* must be visible before the caller checks whether somebody waits: see pool.h */
	(void)atomic_exchange(&slot->state, SLOT_IDLE);
}

void slot_change(struct slot *slot, enum slot_state state, int64_t now)
{
	static const enum page_slot_state shown[] = {
		[SLOT_EMPTY] = PAGE_SLOT_EMPTY,
		[SLOT_CONNECTING] = PAGE_SLOT_CONNECTING,
		[SLOT_IDLE] = PAGE_SLOT_IDLE,
		[SLOT_HELD] = PAGE_SLOT_HELD,
		[SLOT_CLEANING] = PAGE_SLOT_HELD,
		[SLOT_CLOSING] = PAGE_SLOT_CLOSING,
	};
	set_state(slot, state);
	slot->since = now;
	slot->thread = 0;
	if (state == SLOT_EMPTY)
		slot->site = NULL;
	page_slot_state(slot->page, shown[state], now);
}

struct link *slot_detach(const struct dbpool *pool, struct slot *slot, int64_t now)
{
	struct link *link = slot->link;
	link->slot = (int)(slot - pool->slots);
	link->ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	slot_take_back(slot, now);
	slot->link = NULL;
	slot_change(slot, SLOT_CLOSING, now);
	return link;
}

void slot_clear(struct slot *slot, struct page_slot *page, unsigned max_uses, int64_t now)
{
	uint64_t ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	/* even means not held */
	atomic_store_explicit(&slot->ticket, ticket + (ticket & 1), memory_order_relaxed);
	set_state(slot, SLOT_EMPTY);
	slot->link = NULL;
	slot->page = page;
	slot->site = NULL;
	slot->since = now;
	slot->expires = INT64_MAX;
	slot->uses = 0;
	slot->max_uses = max_uses;
	slot->thread = 0;
	slot->leaked = false;
	slot->ending = -1;
}

struct slot *slot_take_idle(
	struct dbpool *pool, struct borrower *borrower, int64_t now, unsigned first, bool patient)
{
	unsigned n = atomic_load_explicit(&pool->n_slots, memory_order_relaxed);
	for (unsigned i = 0, at = first < n ? first : 0; i < n; i++, at = at + 1 < n ? at + 1 : 0) {
		struct slot *slot = &pool->slots[at];
		if (glance(slot) != SLOT_IDLE)
			continue;
		if (patient)
			slot_lock(slot);
		else if (!slot_try_lock(slot))
			continue;
		/* checked with the lock held: a beginning shutdown sets the phase first and then
		 * takes each slot's lock to count the borrowers */
		bool idle = glance(slot) == SLOT_IDLE && (patient || pool_lends(pool));
		if (idle)
			slot_lend(pool, slot, borrower, now);
		slot_unlock(slot);
		if (idle)
			return slot;
	}
	return NULL;
}

bool slot_is_spent(const struct slot *slot, int64_t now)
{
	return slot->uses >= slot->max_uses || now >= slot->expires;
}

int slot_number(const struct dbpool *pool, const struct slot *slot)
{
	return (int)(slot - pool->slots) + 1;
}

unsigned slots_count(const struct dbpool *pool, enum slot_state state)
{
	unsigned n = 0;
	for (unsigned i = 0; i < pool->config.max; i++)
		n += glance(&pool->slots[i]) == state;
	return n;
}

void slot_set(struct dbpool *pool, struct slot *slot, enum slot_state state, int64_t now)
{
	slot_lock(slot);
	bool was_empty = glance(slot) == SLOT_EMPTY;
	slot_change(slot, state, now);
	slot_unlock(slot);
	if (was_empty && state != SLOT_EMPTY)
		pool->n_links++;
	else if (!was_empty && state == SLOT_EMPTY)
		pool->n_links--;
}

void slot_give_up(struct dbpool *pool, struct slot *slot, int64_t now)
{
	slot_set(pool, slot, SLOT_CLOSING, now);
	connector_wake(pool);
}

void orphan_add(struct dbpool *pool, struct slot *slot, struct link *link, bool polite)
{
	link->next = pool->orphans;
	pool->orphans = link;
	slot->ending = link_cut(link, polite);
	connector_wake(pool);
}

struct link *orphan_find(struct dbpool *pool, const struct dbpool_lease *lease)
{
	struct link **at = &pool->orphans, *link;
	while ((link = *at) && (link->slot != lease->slot_ || link->ticket != lease->ticket_))
		at = &link->next;
	if (link)
		*at = link->next;
	return link;
}
