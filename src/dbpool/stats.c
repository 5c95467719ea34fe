/* The pool's statistics. */
#include <string.h>
#include <time.h>

#include "dbpool/default.h"
#include "dbpool/state.h"
#include "dbpool/util.h"

/* The pool's mutex is held, and there is a page. */
static void add_slots(const struct dbpool *pool, struct dbpool_stats *ret)
{
	ret->idle = (int)pool->n_slots[SLOT_IDLE];
	ret->in_use = (int)pool->n_slots[SLOT_HELD];
	ret->size = ret->idle + ret->in_use;
	ret->leaks = 0;
	ret->acquired = ret->released = 0;
	for (unsigned i = 0; i < pool->config.max; i++) {
		const struct page_slot *slot = &pool->page->slots[i];
		ret->leaks += page_get(slot->leaked) != 0;
		ret->acquired += page_get(slot->counters.acquired);
		ret->released += page_get(slot->counters.released);
	}
}

static void take(const struct dbpool *pool, struct dbpool_stats *ret)
{
	const struct page_totals *totals = &pool->page->totals;
	add_slots(pool, ret);
	ret->min = (int)pool->config.min;
	ret->max = (int)pool->config.max;
	ret->waiters = (int)pool->n_waiters;
	ret->timeouts = totals->timeouts;
	ret->errors = totals->errors;
	ret->opened = totals->opened;
	ret->closed = totals->closed;
	ret->created = pool->created;
	ret->uptime = now_usec() - pool->created_monotonic;
	ret->lost = totals->lost_slots;
	ret->pending = totals->pending_writes == PAGE_UNKNOWN ? -1 : totals->pending_writes;
}

void dbpool_stats(struct dbpool *pool, struct dbpool_stats *ret_stats, size_t size)
{
	struct dbpool_stats stats = { .pending = -1 };
	if (!pool)
		pool = default_latest();
	if (pool && !pool->forked) {
		pthread_mutex_lock(&pool->lock);
		stats = pool->last;
		if (pool->page && pool->phase != DBPOOL_DONE)
			take(pool, &stats);
		stats.phase = pool->phase;
		pthread_mutex_unlock(&pool->lock);
	}
	memcpy(ret_stats, &stats, size < sizeof(stats) ? size : sizeof(stats));
	if (size > sizeof(stats))
		memset((char *)ret_stats + sizeof(stats), 0, size - sizeof(stats));
}

void dbpool_pending(struct dbpool *pool, int64_t left)
{
	if (!pool)
		pool = dbpool_default();
	if (!pool || pool->forked)
		return;
	pthread_mutex_lock(&pool->lock);
	if (pool->page)
		page_set(pool->page->totals.pending_writes, left < 0 ? PAGE_UNKNOWN : left);
	pthread_mutex_unlock(&pool->lock);
}

const char *dbpool_page_path(struct dbpool *pool)
{
	if (!pool)
		pool = dbpool_default();
	if (!pool || pool->forked)
		return NULL;
	pthread_mutex_lock(&pool->lock);
	const char *path = pool->writer ? page_writer_path(pool->writer) : NULL;
	pthread_mutex_unlock(&pool->lock);
	return path;
}
