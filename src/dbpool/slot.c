/* A slot's states, on the stats page as well. Everything here runs with the pool's lock held. */
#include "dbpool/pool.h"

static void show_counts(struct dbpool *pool)
{
	struct page_totals *totals = &pool->page->totals;
	page_set(totals->held, pool->n_held);
	page_set(totals->idle, pool->n_idle);
	page_set(totals->open, pool->n_held + pool->n_idle);
}

int slot_number(const struct dbpool *pool, const struct slot *slot)
{
	return (int)(slot - pool->slots) + 1;
}

static void move_ticket(struct slot *slot)
{
	uint64_t ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	atomic_store_explicit(&slot->ticket, ticket + 1, memory_order_relaxed);
}

void slot_lend(
	struct dbpool *pool, struct slot *slot, int64_t now, int32_t thread, const char *site)
{
	/* a literal has the same address each time: its text is copied once */
	page_slot_held(slot->page, now, thread, site == slot->site ? NULL : site ? site : "");
	move_ticket(slot);
	slot->state = SLOT_HELD;
	slot->since = now;
	slot->thread = thread;
	slot->site = site;
	slot->uses++;
	pool->n_held++;
	show_counts(pool);
	page_add(pool->page->totals.acquired, 1);
}

void slot_take_back(struct dbpool *pool, struct slot *slot, int64_t now)
{
	struct page *page = pool->page;
	int64_t hold = now - slot->since;
	move_ticket(slot);
	pool->n_held--;
	page_add(page->totals.released, 1);
	page_add(page->histograms.hold[page_bucket(hold)], 1);
	if (hold > page->totals.longest_hold)
		page_set(page->totals.longest_hold, hold);
	if (slot->leaked)
		page_add(page->totals.leaks, -1);
	slot->leaked = false;
	slot->state = SLOT_CLEANING;
}

void slot_rest(struct dbpool *pool, struct slot *slot, int64_t now)
{
	slot->state = SLOT_IDLE;
	slot->since = now;
	slot->thread = 0;
	pool->idle[pool->n_idle++] = (uint8_t)(slot - pool->slots);
	page_slot_idle(slot->page, now);
	show_counts(pool);
}

struct slot *slot_pop_idle(struct dbpool *pool)
{
	return &pool->slots[pool->idle[--pool->n_idle]];
}

void slot_remove_idle(struct dbpool *pool, const struct slot *slot)
{
	unsigned i = 0, index = (unsigned)(slot - pool->slots);
	while (i < pool->n_idle && pool->idle[i] != index)
		i++;
	if (i == pool->n_idle)
		return;
	for (pool->n_idle--; i < pool->n_idle; i++)
		pool->idle[i] = pool->idle[i + 1];
}

void slot_set(struct dbpool *pool, struct slot *slot, enum slot_state state, int64_t now)
{
	static const enum page_slot_state shown[] = {
		[SLOT_EMPTY] = PAGE_SLOT_EMPTY,
		[SLOT_CONNECTING] = PAGE_SLOT_CONNECTING,
		[SLOT_IDLE] = PAGE_SLOT_IDLE,
		[SLOT_HELD] = PAGE_SLOT_HELD,
		[SLOT_CLEANING] = PAGE_SLOT_HELD,
		[SLOT_CLOSING] = PAGE_SLOT_CLOSING,
	};
	if (slot->state == SLOT_EMPTY && state != SLOT_EMPTY)
		pool->n_links++;
	else if (slot->state != SLOT_EMPTY && state == SLOT_EMPTY)
		pool->n_links--;
	slot->state = state;
	slot->since = now;
	slot->thread = 0;
	if (state == SLOT_EMPTY)
		slot->site = NULL;
	page_slot_state(slot->page, shown[state], now);
	show_counts(pool);
}

void slot_give_up(struct dbpool *pool, struct slot *slot, int64_t now)
{
	slot_set(pool, slot, SLOT_CLOSING, now);
	connector_wake(pool);
}

void slot_orphan(struct dbpool *pool, struct slot *slot, bool polite, int64_t now)
{
	struct link *link = slot->link;
	link->slot = (int)(slot - pool->slots);
	link->ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	slot_take_back(pool, slot, now);
	link->next = pool->orphans;
	pool->orphans = link;
	slot->link = NULL;
	slot->ending = link_cut(link, polite);
	slot_give_up(pool, slot, now);
}

struct link *slot_find_orphan(struct dbpool *pool, int slot, uint64_t ticket)
{
	struct link **at = &pool->orphans, *link;
	while ((link = *at) && (link->slot != slot || link->ticket != ticket))
		at = &link->next;
	if (link)
		*at = link->next;
	return link;
}

bool slot_is_spent(const struct dbpool *pool, const struct slot *slot, int64_t now)
{
	return slot->uses >= pool->config.max_uses || now >= slot->expires;
}
