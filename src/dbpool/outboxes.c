/* The outboxes that send over a pool, as they last reported themselves: their sums are on the stats
 * page. An outbox that was closed stays as long as its file has something to report. */
#include <string.h>

#include "dbpool/default.h"
#include "dbpool/state.h"

static bool has_something(const struct dbpool_outbox *outbox)
{
	return !outbox->closed || outbox->waiting || outbox->rejected;
}

static void forget(struct dbpool *pool, size_t index)
{
	pool->outboxes[index] = pool->outboxes[--pool->n_outboxes];
}

static size_t find(const struct dbpool *pool, uint64_t id)
{
	size_t i = 0;
	while (i < pool->n_outboxes && pool->outboxes[i].id != id)
		i++;
	return i;
}

/* Makes room for one more: the one that was closed with the fewest waiting writes is left out. */
static bool make_room(struct dbpool *pool)
{
	if (pool->n_outboxes < DBPOOL_HOOKS_MAX)
		return true;
	size_t least = pool->n_outboxes;
	for (size_t i = 0; i < pool->n_outboxes; i++)
		if (pool->outboxes[i].closed &&
			(least == pool->n_outboxes ||
				pool->outboxes[i].waiting < pool->outboxes[least].waiting))
			least = i;
	if (least == pool->n_outboxes)
		return false;
	forget(pool, least);
	return true;
}

static void keep(struct dbpool *pool, const struct dbpool_outbox *outbox)
{
	size_t at = find(pool, outbox->id);
	if (at < pool->n_outboxes)
		pool->outboxes[at] = *outbox;
	else if (make_room(pool))
		pool->outboxes[at = pool->n_outboxes++] = *outbox;
	else
		return;
	if (!has_something(&pool->outboxes[at]))
		forget(pool, at);
}

static void publish(const struct dbpool *pool)
{
	struct page_outbox sums = { .fsync = PAGE_FSYNC_FULL };
	for (size_t i = 0; i < pool->n_outboxes; i++) {
		const struct dbpool_outbox *outbox = &pool->outboxes[i];
		sums.count++;
		sums.waiting += outbox->waiting;
		sums.rejected += (uint64_t)outbox->rejected;
		if (outbox->normal_fsync)
			sums.fsync = PAGE_FSYNC_NORMAL;
		if (outbox->oldest &&
			(!sums.oldest_realtime || outbox->oldest < sums.oldest_realtime))
			sums.oldest_realtime = outbox->oldest;
	}
	struct page_outbox *shown = &pool->page->totals.outbox;
	page_set(shown->count, sums.count);
	page_set(shown->fsync, sums.fsync);
	page_set(shown->waiting, sums.waiting);
	page_set(shown->oldest_realtime, sums.oldest_realtime);
	page_set(shown->rejected, sums.rejected);
}

/* A reader treats a page with a negative number as damaged. */
static int64_t at_least_zero(int64_t number)
{
	return number < 0 ? 0 : number;
}

void dbpool_outbox(struct dbpool *pool, const struct dbpool_outbox *outbox, size_t size)
{
	struct dbpool_outbox known = { 0 };
	if (!pool)
		pool = dbpool_default();
	if (!pool || pool->forked)
		return;
	memcpy(&known, outbox, size < sizeof(known) ? size : sizeof(known));
	known.waiting = at_least_zero(known.waiting);
	known.rejected = at_least_zero(known.rejected);
	known.oldest = at_least_zero(known.oldest);
	pthread_mutex_lock(&pool->lock);
	keep(pool, &known);
	if (pool->page)
		publish(pool);
	pthread_mutex_unlock(&pool->lock);
}
