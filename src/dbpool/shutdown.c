/* The shutdown: stop lending, flush, wait for borrowers, cancel, close, done. Each step is taken,
 * whether or not those before it succeeded. */
#include "dbpool/shutdown.h"

#include <unistd.h>

#include "dbpool/default.h"
#include "dbpool/event.h"
#include "dbpool/hooks.h"
#include "dbpool/lifetime.h"
#include "dbpool/link.h"
#include "dbpool/process.h"
#include "dbpool/queue.h"
#include "dbpool/slot.h"
#include "dbpool/util.h"

/* 1/CLOSE_SHARE of the time is reserved for closing. */
#define CLOSE_SHARE   4
#define CANCEL_WAIT   INT64_C(1000000)
#define CLOSE_TIMEOUT INT64_C(2000000)

/* Enters a phase. Waiters that may no longer borrow fail before others can queue: the application's
 * threads in DBPOOL_STOPPING, the hooks in DBPOOL_DRAINING. */
static void enter(struct dbpool *pool, enum dbpool_phase phase)
{
	pthread_mutex_lock(&pool->lock);
	pool->phase = phase;
	if (phase == DBPOOL_STOPPING || phase == DBPOOL_DRAINING)
		queue_fail_all(pool, DBPOOL_SHUTTING_DOWN);
	page_set(pool->page->totals.phase, (uint32_t)phase);
	page_beat(pool->page);
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

static void stop_lending(struct dbpool *pool)
{
	struct dbpool_event event = { .kind = DBPOOL_EVENT_SHUTDOWN };
	enter(pool, DBPOOL_STOPPING);
	report_event(pool, &event, "the pool shuts down");
}

/* True when the slot's borrower waits for the shutdown, and so cannot release its connection. */
static bool is_exempt(const struct dbpool *pool, const struct link_slot *slot)
{
	for (unsigned i = 0; i < pool->n_exempt; i++)
		if (pool->exempt[i] == slot->thread)
			return true;
	return false;
}

static bool somebody_borrows(const struct dbpool *pool)
{
	for (unsigned i = 0; i < pool->config.max; i++) {
		const struct link_slot *slot = &pool->slots[i];
		if (slot->state == SLOT_CLEANING ||
			(slot->state == SLOT_HELD && !is_exempt(pool, slot)))
			return true;
	}
	return false;
}

static void wait_for_borrowers(struct dbpool *pool, int64_t until)
{
	pthread_mutex_lock(&pool->lock);
	while (somebody_borrows(pool) && now_usec() < until)
		wait_until(&pool->changed, &pool->lock, until);
	pthread_mutex_unlock(&pool->lock);
}

/* The pool's mutex is held all the time, so that no link is released and closed meanwhile. */
static void cancel_borrowers(struct dbpool *pool)
{
	pthread_mutex_lock(&pool->lock);
	for (unsigned i = 0; i < pool->config.max; i++)
		if (pool->slots[i].state == SLOT_HELD)
			link_cancel(pool->slots[i].link);
	pthread_mutex_unlock(&pool->lock);
}

/* Ends the connector. Returns false when it hangs, for instance while it looks a name up, which
 * cannot be interrupted. */
static bool end_connector(struct dbpool *pool, int64_t until)
{
	uint64_t one = 1;
	pthread_mutex_lock(&pool->lock);
	pool->close = true;
	pthread_cond_signal(&pool->work);
	ssize_t n = write(pool->abort_fd, &one, sizeof(one));
	(void)n;
	while (pool->has_connector && !pool->connector_ended && now_usec() < until)
		wait_until(&pool->changed, &pool->lock, until);
	bool there = pool->has_connector, ended = !there || pool->connector_ended;
	pool->has_connector = false;
	pthread_mutex_unlock(&pool->lock);
	if (there && ended)
		pthread_join(pool->connector, NULL);
	else if (there)
		pthread_detach(pool->connector);
	return ended;
}

/* Takes the links to be closed out of the slots, and cuts those that are still held. Returns the
 * number of links; `fds` has one place for each slot. A link that comes later, or that a release
 * still cleans, is closed by its own thread. */
static unsigned collect(struct dbpool *pool, struct pool_link **links, int *fds)
{
	unsigned n = 0;
	int64_t now = now_usec();
	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct link_slot *slot = &pool->slots[i];
		if (slot->state == SLOT_HELD) {
			orphan_make(pool, slot, is_exempt(pool, slot), now);
		} else if (slot->link && slot->state != SLOT_CLEANING) {
			links[n++] = slot->link;
			slot->link = NULL;
			slot_change(pool, slot, SLOT_CLOSING, now);
		}
		fds[i] = slot->ending;
		slot->ending = -1;
	}
	pthread_mutex_unlock(&pool->lock);
	return n;
}

/* Sends all Terminate messages before it waits for the first session's end. */
static bool close_all(struct dbpool *pool, int64_t until)
{
	struct pool_link *links[DBPOOL_MAX];
	int ending[DBPOOL_MAX], closing[DBPOOL_MAX];
	unsigned n = collect(pool, links, ending);
	for (unsigned i = 0; i < n; i++)
		closing[i] = link_finish(links[i]);
	bool ended = link_wait_ended(closing, n, until, false);
	return link_wait_ended(ending, pool->config.max, until, true) && ended;
}

/* Empties all slots but those that a release still cleans; these are emptied by the release.
 * Returns false if there is one. */
static bool empty_slots(struct dbpool *pool)
{
	int64_t now = now_usec();
	pthread_mutex_lock(&pool->lock);
	for (unsigned i = 0; i < pool->config.max; i++)
		if (pool->slots[i].state != SLOT_EMPTY && pool->slots[i].state != SLOT_CLEANING)
			slot_change(pool, &pool->slots[i], SLOT_EMPTY, now);
	bool all = slots_used(pool) == 0;
	pthread_mutex_unlock(&pool->lock);
	return all;
}

/* Removes the page's file and keeps its last numbers. The page's memory stays as long as a thread
 * that was left behind uses it. */
static void finish(struct dbpool *pool, int result)
{
	struct dbpool_stats last;
	dbpool_stats(pool, &last, sizeof(last));
	process_leave(pool);
	default_ended(pool);
	pthread_mutex_lock(&pool->lock);
	last.phase = DBPOOL_DONE;
	pool->last = last;
	pool->ended_as = result;
	page_writer_remove(pool->writer);
	if (!pool_is_in_use(pool))
		pool_drop_page(pool);
	pool->n_hooks = 0;
	pool->phase = DBPOOL_DONE;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

void shutdown_run(struct dbpool *pool)
{
	const struct pool_config *config = &pool->config;
	int64_t start = now_usec(), end = start + config->shutdown;
	int64_t close_by = end - config->shutdown / CLOSE_SHARE;
	char took[24];
	stop_lending(pool);
	hooks_run(pool, DBPOOL_HOOK_STOP, close_by);
	enter(pool, DBPOOL_FLUSHING);
	hooks_run(pool, DBPOOL_HOOK_FLUSH, close_by);
	enter(pool, DBPOOL_DRAINING);
	wait_for_borrowers(pool, earlier(now_usec() + config->drain, close_by));
	enter(pool, DBPOOL_CANCELLING);
	cancel_borrowers(pool);
	wait_for_borrowers(pool, earlier(now_usec() + CANCEL_WAIT, close_by));
	enter(pool, DBPOOL_CLOSING);
	bool ended = end_connector(pool, end);
	bool closed = close_all(pool, earlier(now_usec() + CLOSE_TIMEOUT, end));
	closed = empty_slots(pool) && closed;
	hooks_run(pool, DBPOOL_HOOK_CLOSED, end);
	bool in_time = ended && closed;
	struct dbpool_event event = { .kind = DBPOOL_EVENT_SHUTDOWN,
		.usec = now_usec() - start,
		.result = in_time ? DBPOOL_OK : DBPOOL_LATE,
		.warning = !in_time };
	report_event(pool, &event, "the pool has shut down within %s%s",
		format_usec(event.usec, took),
		in_time ? "" : ": not all connections ended in time, they were dropped");
	finish(pool, event.result);
}
