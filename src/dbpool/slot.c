/* The states of a slot, here and on the stats page. All functions need the pool's mutex. */
#include "dbpool/slot.h"

#include "dbpool/link.h"

/* After this time the answer to a reset is taken to have arrived: a network's round trip, and the
 * server's work of less than a tenth of a millisecond. It is short, so that connections which are
 * not needed are left idle and expire. */
#define RESET_USEC 1000

/* A slot that was idle for less than this is still in the cache of the processor whose thread used
 * it last. It is short for the same reason. */
#define WARM_USEC 1000

static void set_state(
	struct dbpool *pool, struct link_slot *slot, enum slot_state state, int64_t now)
{
	pool->n_slots[slot->state]--;
	pool->n_slots[state]++;
	slot->state = state;
	slot->since = now;
}

static uint64_t ticket_of(const struct link_slot *slot)
{
	return atomic_load_explicit(&slot->ticket, memory_order_relaxed);
}

/* dbpool_conn() reads the ticket without the mutex. */
static void next_ticket(struct link_slot *slot)
{
	atomic_store_explicit(&slot->ticket, ticket_of(slot) + 1, memory_order_relaxed);
}

void slot_lend(struct dbpool *pool, struct link_slot *slot, struct borrower *borrower, int64_t now)
{
	const char *site = borrower->site;
	/* a string literal always has the same address: its text is copied only when it changes */
	page_slot_held(slot->page, now, borrower->thread,
		site == slot->site ? NULL
			: site     ? site
				   : "");
	page_add(slot->page->counters.acquired, 1);
	next_ticket(slot);
	set_state(pool, slot, SLOT_HELD, now);
	slot->thread = borrower->thread;
	slot->site = site;
	slot->uses++;
	borrower->slot = slot;
	borrower->lease->pool_ = pool;
	borrower->lease->slot_ = (int)(slot - pool->slots);
	borrower->lease->ticket_ = ticket_of(slot);
	borrower->lease->conn_ = slot->link->conn;
}

void slot_take_back(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	next_ticket(slot);
	page_slot_released(slot->page, now - slot->since);
	slot->leaked = false;
	set_state(pool, slot, SLOT_CLEANING, now);
}

void slot_rest(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	set_state(pool, slot, SLOT_IDLE, now);
	slot->thread = 0;
	page_slot_idle(slot->page, now);
}

void slot_change(struct dbpool *pool, struct link_slot *slot, enum slot_state state, int64_t now)
{
	static const enum page_slot_state shown[SLOT_STATES] = {
		[SLOT_EMPTY] = PAGE_SLOT_EMPTY,
		[SLOT_CONNECTING] = PAGE_SLOT_CONNECTING,
		[SLOT_IDLE] = PAGE_SLOT_IDLE,
		[SLOT_HELD] = PAGE_SLOT_HELD,
		[SLOT_CLEANING] = PAGE_SLOT_HELD,
		[SLOT_CLOSING] = PAGE_SLOT_CLOSING,
	};
	set_state(pool, slot, state, now);
	slot->thread = 0;
	if (state == SLOT_EMPTY)
		slot->site = NULL;
	page_slot_state(slot->page, shown[state], now);
}

void slot_give_up(struct dbpool *pool, struct link_slot *slot, int64_t now)
{
	slot_change(pool, slot, SLOT_CLOSING, now);
	pthread_cond_signal(&pool->work);
}

void slot_clear(struct link_slot *slot, struct page_slot *page, int64_t now)
{
	uint64_t ticket = ticket_of(slot);
	/* even means not held */
	atomic_store_explicit(&slot->ticket, ticket + (ticket & 1), memory_order_relaxed);
	slot->state = SLOT_EMPTY;
	slot->link = NULL;
	slot->page = page;
	slot->site = NULL;
	slot->since = now;
	slot->expires = INT64_MAX;
	slot->uses = 0;
	slot->thread = 0;
	slot->leaked = false;
	slot->ending = -1;
}

struct link_slot *slot_find(struct dbpool *pool, enum slot_state state)
{
	for (unsigned i = 0; pool->n_slots[state] && i < pool->config.max; i++)
		if (pool->slots[i].state == state)
			return &pool->slots[i];
	return NULL;
}

static bool is_warm(const struct link_slot *slot, int64_t now)
{
	return slot->state == SLOT_IDLE && !slot->link->resetting && now - slot->since < WARM_USEC;
}

struct link_slot *slot_find_idle(struct dbpool *pool, int last, int64_t now)
{
	struct link_slot *oldest = NULL;
	unsigned left = pool->n_slots[SLOT_IDLE];
	if (left && is_warm(&pool->slots[last], now))
		return &pool->slots[last];
	for (unsigned i = 0; left && i < pool->config.max; i++) {
		struct link_slot *slot = &pool->slots[i];
		if (slot->state != SLOT_IDLE)
			continue;
		left--;
		if (!slot->link->resetting || now - slot->since >= RESET_USEC)
			return slot;
		if (!oldest || slot->since < oldest->since)
			oldest = slot;
	}
	return oldest;
}

bool slot_is_lent_to(const struct link_slot *slot, const struct dbpool_lease *lease)
{
	return ticket_of(slot) == lease->ticket_;
}

bool slot_is_spent(const struct dbpool *pool, const struct link_slot *slot, int64_t now)
{
	return slot->uses >= pool->config.max_uses || now >= slot->expires;
}

int slot_number(const struct dbpool *pool, const struct link_slot *slot)
{
	return (int)(slot - pool->slots) + 1;
}

unsigned slots_open(const struct dbpool *pool)
{
	return pool->n_slots[SLOT_IDLE] + pool->n_slots[SLOT_HELD];
}

unsigned slots_used(const struct dbpool *pool)
{
	unsigned n = 0;
	for (unsigned state = SLOT_EMPTY + 1; state < SLOT_STATES; state++)
		n += pool->n_slots[state];
	return n;
}

int64_t slot_active(const struct link_slot *slot)
{
	int64_t result = page_get(slot->page->last_result_monotonic);
	return result > slot->since ? result : slot->since;
}

void orphan_make(struct dbpool *pool, struct link_slot *slot, bool polite, int64_t now)
{
	struct pool_link *link = slot->link;
	link->slot = (int)(slot - pool->slots);
	link->ticket = ticket_of(slot);
	link->next = pool->orphans;
	pool->orphans = link;
	slot->link = NULL;
	slot->ending = link_cut(link, polite);
	slot_take_back(pool, slot, now);
	slot_give_up(pool, slot, now);
}

struct pool_link *orphan_find(struct dbpool *pool, const struct dbpool_lease *lease)
{
	struct pool_link **at = &pool->orphans, *link;
	while ((link = *at) && (link->slot != lease->slot_ || link->ticket != lease->ticket_))
		at = &link->next;
	if (link)
		*at = link->next;
	return link;
}
