/* The connector: the thread that opens and closes connections, one at a time. */
#include "dbpool/connector.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "dbpool/connect.h"
#include "dbpool/event.h"
#include "dbpool/lifetime.h"
#include "dbpool/process.h"
#include "dbpool/queue.h"
#include "dbpool/slot.h"
#include "dbpool/stale_sessions.h"
#include "dbpool/util.h"

#define CLOSE_TIMEOUT (1000 * 1000)

#define FIRST_BACKOFF INT64_C(100000)

/* The longest time between two attempts. A full server may have a free slot at any moment. Each
 * refused attempt is a line in the server's log, and may get us locked out. */
static const int64_t longest_backoff[] = {
	[DBPOOL_UNREACHABLE] = 5000000,
	[DBPOOL_FULL] = 1000000,
	[DBPOOL_REFUSED] = 30000000,
};

/* Changes a time by up to ±25 %, so that many processes that lost the same server do not reconnect
 * at the same time. */
static int64_t jitter(int64_t usec)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	uint64_t x = (uint64_t)ts.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid();
	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return usec * 3 / 4 + (int64_t)((x >> 33) % (uint64_t)(usec / 2 + 1));
}

/* True when one more connection is needed: for a waiter for whom there is no idle connection, or to
 * keep min open. During a shutdown only hooks get new connections. */
static bool wants_one(const struct dbpool *pool)
{
	if (slots_used(pool) >= pool->config.max || pool->phase >= DBPOOL_DRAINING)
		return false;
	if (pool->n_waiters > pool->n_slots[SLOT_IDLE])
		return true;
	return pool->phase <= DBPOOL_RUNNING &&
		(slots_open(pool) < pool->config.min || pool->probe_wanted);
}

/* The pool's mutex is held; it is released meanwhile. The slot becomes empty only when the server
 * has ended the session, so that there are never more than max sessions. */
static void close_one(struct dbpool *pool, struct link_slot *slot)
{
	struct pool_link *link = slot->link;
	int fd = slot->ending;
	slot->link = NULL;
	slot->ending = -1;
	pthread_mutex_unlock(&pool->lock);
	/* a reset whose answer is unread looks like a running statement, but ends by itself */
	if (link && !link->finished && !link->resetting &&
		PQtransactionStatus(link->conn) == PQTRANS_ACTIVE)
		link_cancel(link);
	if (link)
		fd = link_finish(link);
	(void)link_wait_ended(&fd, 1, now_usec() + CLOSE_TIMEOUT, !link);
	pthread_mutex_lock(&pool->lock);
	page_add(pool->page->totals.closed, 1);
	slot_change(pool, slot, SLOT_EMPTY, now_usec());
	pthread_cond_broadcast(&pool->changed);
}

static void install(struct dbpool *pool, struct link_slot *slot, struct pool_link *link)
{
	int64_t now = now_usec();
	const struct pool_config *config = &pool->config;
	slot->link = link;
	link->last_result = &slot->page->last_result_monotonic;
	slot->uses = 0;
	slot->expires = config->max_lifetime == INT64_MAX
		? INT64_MAX
		: now + config->max_lifetime - jitter(config->max_lifetime) / 10;
	pool->probe_wanted = false;
	page_slot_opened(slot->page, link->backend_pid, link->backend_start, now);
	page_add(pool->page->totals.opened, 1);
	queue_offer(pool, slot, now);
	pthread_cond_broadcast(&pool->changed);
}

/* Records the result of an attempt. Reports it to the application's log if it differs from the last
 * one. */
static void note(struct dbpool *pool, int result, const char *text)
{
	int before = pool->failure.result;
	if (pool->close)
		return; /* a shutdown has aborted the attempt */
	pool->failure.result = result;
	snprintf(pool->failure.text, sizeof(pool->failure.text), "%s", text);
	if (result == DBPOOL_OK) {
		pool->backoff = 0;
		pool->next_probe = 0;
	} else {
		int64_t most = result > 0 ? longest_backoff[result] : 1000000;
		pool->backoff = pool->backoff ? pool->backoff * 2 : FIRST_BACKOFF;
		pool->backoff = pool->backoff < most ? pool->backoff : most;
		pool->next_probe = now_usec() + jitter(pool->backoff);
		page_add(pool->page->totals.errors, 1);
	}
	if (result == before)
		return;
	struct dbpool_event event = {
		.kind = result == DBPOOL_OK ? DBPOOL_EVENT_UP : DBPOOL_EVENT_DOWN,
		.result = result,
		/* dbpool_start() returns the failure of the first attempt */
		.warning = pool->phase != DBPOOL_STARTING || pool->config.raw.lazy,
	};
	pthread_mutex_unlock(&pool->lock);
	if (result == DBPOOL_OK)
		report_event(pool, &event, "the server can be reached again");
	else
		report_event(pool, &event, "%s: %s", dbpool_result_name(result), text);
	pthread_mutex_lock(&pool->lock);
}

/* The pool's mutex is held; it is released meanwhile. */
static void open_one(struct dbpool *pool)
{
	struct link_slot *slot = slot_find(pool, SLOT_EMPTY);
	struct pool_link *link = NULL;
	char error[TEXT_MAX] = "";
	if (!slot)
		return;
	slot_change(pool, slot, SLOT_CONNECTING, now_usec());
	bool first = !pool->stale_ended;
	unsigned forks = process_forks();
	pthread_mutex_unlock(&pool->lock);
	int result = link_open(&pool->config, slot_number(pool, slot), pool->abort_fd, &link, error,
		sizeof(error));
	if (result == DBPOOL_OK) {
		process_at_exit_again();
		if (first)
			stale_sessions_end(pool, link);
	}
	pthread_mutex_lock(&pool->lock);
	if (pool->closed) {
		/* the shutdown did not wait for this attempt */
		pthread_mutex_unlock(&pool->lock);
		link_drop(link);
		pthread_mutex_lock(&pool->lock);
		return;
	}
	if (result == DBPOOL_OK && process_forks() != forks) {
		/* a child has a copy of the socket, which nobody closes: end this session with
		 * PQfinish() */
		slot->link = link;
		slot_give_up(pool, slot, now_usec());
		return;
	}
	if (result == DBPOOL_OK) {
		pool->stale_ended = true;
		install(pool, slot, link);
	} else {
		slot_change(pool, slot, SLOT_EMPTY, now_usec());
	}
	note(pool, result, error);
	if (result == DBPOOL_REFUSED && !slots_open(pool))
		queue_fail_all(pool, result);
	pool->probe_wanted = false;
	pthread_cond_broadcast(&pool->changed);
}

void *connector_run(void *data)
{
	struct dbpool *pool = data;
	pthread_mutex_lock(&pool->lock);
	while (!pool->close) {
		struct link_slot *slot = slot_find(pool, SLOT_CLOSING);
		bool wanted = wants_one(pool);
		if (slot)
			close_one(pool, slot);
		else if (wanted && now_usec() >= pool->next_probe)
			open_one(pool);
		else
			wait_until(&pool->work, &pool->lock, wanted ? pool->next_probe : INT64_MAX);
	}
	pool->connector_ended = true;
	pthread_cond_broadcast(&pool->changed);
	pool->guests--;
	pool_leave(pool);
	return NULL;
}
