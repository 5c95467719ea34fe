/* Acquires connections: from the reserve, or by waiting in the queue. Unless a function says
 * otherwise, the pool's mutex is held at its call and its return. */
#include <stdio.h>
#include <stdlib.h>

#include "dbpool/default.h"
#include "dbpool/event.h"
#include "dbpool/hooks.h"
#include "dbpool/link.h"
#include "dbpool/queue.h"
#include "dbpool/slot.h"
#include "dbpool/util.h"

/* How long an idle connection may take to answer before it counts as broken. */
#define ANSWER_TIMEOUT (1000 * 1000)
#define LEAST_TIMEOUT  (5 * 1000)

#define MOST_NAMED 3 /* borrowers named in a timeout's text */

/* The number of the slot that the thread used last, in any pool. */
static __thread int last_slot;

struct acquisition {
	struct dbpool *pool;
	struct borrower borrower;
	int *last_slot;            /* of this thread */
	bool waited;               /* for another thread, or for the server's answer */
	int64_t started, deadline; /* monotonic; INT64_MAX for none */
	int64_t timeout;           /* in microseconds; INT64_MAX for none */
};

static bool lends(const struct dbpool *pool)
{
	if (pool->phase == DBPOOL_RUNNING || pool->phase == DBPOOL_STARTING)
		return true;
	return (pool->phase == DBPOOL_STOPPING || pool->phase == DBPOOL_FLUSHING) &&
		hook_is_here(pool);
}

/* True when the connection must be read from, or tested (*ret_ask), before it is used. */
static bool is_doubtful(
	const struct dbpool *pool, const struct pool_link *link, int64_t now, bool *ret_ask)
{
	*ret_ask = link->heard < pool->suspect || now - link->heard > pool->config.validate_after;
	return *ret_ask || link->resetting;
}

/* Gives up the broken connection that the calling thread holds; it does not count as acquired. The
 * mutex is released while the event is reported. */
static void drop_broken(struct dbpool *pool, struct link_slot *slot)
{
	struct dbpool_event event = { .kind = DBPOOL_EVENT_LOST,
		.slot = slot_number(pool, slot),
		.backend_pid = slot->link->backend_pid,
		.warning = 1 };
	int64_t now = now_usec();
	slot_take_back(pool, slot, now);
	page_add(slot->page->counters.acquired, -1);
	page_add(slot->page->counters.released, -1);
	slot_give_up(pool, slot, now);
	page_add(pool->page->totals.errors, 1);
	pool->suspect = now;
	pthread_mutex_unlock(&pool->lock);
	report_event(
		pool, &event, "slot %d: the connection is broken, and is replaced", event.slot);
	pthread_mutex_lock(&pool->lock);
}

/* Frees the link that was taken from the caller before it could use it, by the housekeeper or a
 * shutdown. Releases the mutex meanwhile. */
static void free_taken(struct acquisition *request)
{
	struct dbpool *pool = request->pool;
	struct pool_link *orphan = orphan_find(pool, request->borrower.lease);
	pthread_mutex_unlock(&pool->lock);
	link_free(orphan);
	pthread_mutex_lock(&pool->lock);
}

/* Reads the answer to a reset and, if `ask`, tests the connection that the caller holds. Returns
 * false when the connection is broken, or was taken away by a shutdown. Releases the mutex
 * meanwhile. */
static bool settle(struct acquisition *request, bool ask)
{
	struct dbpool *pool = request->pool;
	struct link_slot *slot = request->borrower.slot;
	const struct dbpool_lease *lease = request->borrower.lease;
	struct pool_link *link = slot->link;
	bool resetting = link->resetting;
	pthread_mutex_unlock(&pool->lock);
	int64_t now = now_usec(), deadline = earlier(now + ANSWER_TIMEOUT, request->deadline);
	/* even near the request's deadline the test gets LEAST_TIMEOUT: a good connection must not
	 * count as broken because the request is late */
	if (deadline < now + LEAST_TIMEOUT)
		deadline = now + LEAST_TIMEOUT;
	bool good = link_settle(link, ask, deadline);
	pthread_mutex_lock(&pool->lock);
	request->waited = true;
	if (!slot_is_lent_to(slot, lease))
		return false;
	if (good)
		page_add(slot->page->counters.resets, resetting);
	else
		drop_broken(pool, slot);
	return good;
}

static void count_wait(const struct acquisition *request, int64_t now)
{
	struct page *page = request->pool->page;
	if (!page)
		return;
	page_add(page->wait[page_bucket(now - request->started)], 1);
	page_add(page->totals.waited, (uint64_t)(now - request->started));
}

static int compare_since(const void *a, const void *b)
{
	int64_t x = (*(const struct link_slot *const *)a)->since;
	int64_t y = (*(const struct link_slot *const *)b)->since;
	return (x > y) - (x < y);
}

/* "3 of 3 in use: slot 1 by thread 4312 for 7m12s from sync.c:212; …", the longest hold first. */
static void describe_borrowers(struct dbpool *pool, char *text, size_t size)
{
	const struct link_slot *held[DBPOOL_MAX];
	unsigned n = 0;
	int64_t now = now_usec();
	for (unsigned i = 0; i < pool->config.max; i++)
		if (pool->slots[i].state == SLOT_HELD)
			held[n++] = &pool->slots[i];
	qsort(held, n, sizeof(*held), compare_since);
	size_t length = (size_t)snprintf(text, size, "%u of %u in use", n, pool->config.max);
	for (unsigned i = 0; i < n && i < MOST_NAMED && length < size; i++) {
		char how_long[24];
		length += (size_t)snprintf(text + length, size - length,
			"%s slot %d by thread %d for %s from %s", i ? ";" : ":",
			slot_number(pool, held[i]), held[i]->thread,
			format_usec(now - held[i]->since, how_long),
			held[i]->site ? held[i]->site : "an unknown place");
	}
}

/* Reports that the deadline has passed. */
static int give_up(const struct acquisition *request)
{
	struct dbpool *pool = request->pool;
	char borrowers[TEXT_MAX / 2], waited[24];
	const struct connect_failure *failure = &pool->failure;
	page_add(pool->page->totals.timeouts, 1);
	count_wait(request, now_usec());
	format_usec(request->timeout, waited);
	if (failure->result > 0 && !slots_open(pool))
		return fail(failure->result, "no connection within %s: %s: %s", waited,
			dbpool_result_name(failure->result), failure->text);
	describe_borrowers(pool, borrowers, sizeof(borrowers));
	return fail(DBPOOL_TIMEOUT, "no connection within %s: %s%s%s", waited, borrowers,
		failure->result ? "; no more can be opened: " : "",
		failure->result ? failure->text : "");
}

static int refuse(const struct dbpool *pool)
{
	return fail(DBPOOL_SHUTTING_DOWN, "the pool %s",
		pool->phase == DBPOOL_DONE || pool->phase == DBPOOL_NONE ? "does not run"
									 : "shuts down");
}

static int explain_failure(const struct dbpool *pool, int result)
{
	if (result == DBPOOL_SHUTTING_DOWN)
		return refuse(pool);
	return fail(result, "%s: %s", dbpool_result_name(result), pool->failure.text);
}

/* Waits until the waiter is woken or has been served, or the deadline has passed. */
static int sleep_in_line(struct acquisition *request, struct pool_waiter *waiter)
{
	struct dbpool *pool = request->pool;
	for (;;) {
		int64_t now = now_usec();
		struct link_slot *idle = pool->first == waiter
			? slot_find_idle(pool, *request->last_slot, now)
			: NULL;
		int result = DBPOOL_OK;
		if (idle)
			slot_lend(pool, idle, waiter->borrower, now);
		else if (now >= request->deadline)
			result = give_up(request);
		if (idle || result != DBPOOL_OK) {
			queue_remove(pool, waiter);
			/* another connection may be idle for the next waiter */
			queue_nudge(pool);
			return result;
		}
		waiter->state = WAITER_SLEEPS;
		if (slots_used(pool) < pool->config.max)
			pthread_cond_signal(&pool->work);
		wait_until(&waiter->woken, &pool->lock, request->deadline);
		if (waiter->state == WAITER_SERVED)
			return DBPOOL_OK;
		if (waiter->state == WAITER_FAILED)
			return explain_failure(pool, waiter->result);
	}
}

/* `again`: the connection that the thread got was broken, so it waits at the head of the queue. */
static int wait_in_line(struct acquisition *request, bool again)
{
	struct dbpool *pool = request->pool;
	struct pool_waiter waiter = { .borrower = &request->borrower, .since = request->started };
	init_cond(&waiter.woken);
	if (again)
		queue_prepend(pool, &waiter);
	else
		queue_append(pool, &waiter);
	request->waited = true;
	int result = sleep_in_line(request, &waiter);
	pthread_cond_destroy(&waiter.woken);
	return result;
}

/* True when the server refuses the credentials and no connection is open: waiting is useless. The
 * connector tries again, for later callers. */
static bool is_hopeless(struct dbpool *pool)
{
	if (pool->failure.result != DBPOOL_REFUSED || slots_open(pool))
		return false;
	pool->probe_wanted = true;
	pthread_cond_signal(&pool->work);
	return true;
}

/* Gets a connection, which may turn out to be broken. */
static int get_one(struct acquisition *request, bool again)
{
	struct dbpool *pool = request->pool;
	if (!lends(pool))
		return refuse(pool);
	struct link_slot *idle = queue_has_priority(pool, request->started)
		? NULL
		: slot_find_idle(pool, *request->last_slot, request->started);
	if (idle && !again) {
		slot_lend(pool, idle, &request->borrower, request->started);
		return DBPOOL_OK;
	}
	if (is_hopeless(pool))
		return explain_failure(pool, DBPOOL_REFUSED);
	return wait_in_line(request, again);
}

static int acquire(struct acquisition *request)
{
	struct dbpool *pool = request->pool;
	const struct borrower *borrower = &request->borrower;
	int64_t now = request->started;
	for (bool again = false, ask;; again = true) {
		int result = get_one(request, again);
		if (result != DBPOOL_OK)
			return result;
		if (request->waited)
			now = now_usec();
		/* a thread that was served may wake up late, when the hold has been ended already
		 */
		bool ours = slot_is_lent_to(borrower->slot, borrower->lease);
		if (ours &&
			(!is_doubtful(pool, borrower->slot->link, now, &ask) ||
				settle(request, ask)))
			break;
		if (!slot_is_lent_to(borrower->slot, borrower->lease))
			free_taken(request);
		borrower->lease->conn_ = NULL;
	}
	if (request->waited)
		count_wait(request, now_usec());
	else
		page_add(borrower->slot->page->counters.at_once, 1);
	*request->last_slot = borrower->lease->slot_;
	return DBPOOL_OK;
}

static void set_deadline(struct acquisition *request, int ms)
{
	request->timeout = ms == DBPOOL_OFF ? INT64_MAX
		: ms == DBPOOL_DEFAULT_MS   ? request->pool->config.acquire_timeout
					    : ms * INT64_C(1000);
	request->deadline =
		request->timeout == INT64_MAX ? INT64_MAX : request->started + request->timeout;
}

static void report_acquired(const struct acquisition *request)
{
	const struct borrower *borrower = &request->borrower;
	struct dbpool_event event = {
		.kind = DBPOOL_EVENT_ACQUIRED,
		.slot = borrower->lease->slot_ + 1,
		.backend_pid = PQbackendPID(borrower->lease->conn_),
		.thread = borrower->thread,
		.site = borrower->site,
		.usec = now_usec() - request->started,
	};
	char waited[24];
	report_event(request->pool, &event, "slot %d: thread %d acquired it within %s at %s",
		event.slot, event.thread, format_usec(event.usec, waited), site_of(&event));
}

int dbpool_acquire_at(
	struct dbpool *pool, struct dbpool_lease *ret_lease, int timeout_ms, const char *site)
{
	*ret_lease = (struct dbpool_lease){ .result = DBPOOL_SHUTTING_DOWN };
	if (!pool)
		pool = dbpool_default();
	if (!pool)
		return fail(DBPOOL_SHUTTING_DOWN, "no pool runs: dbpool_start() comes first");
	if (pool->forked) {
		ret_lease->result = DBPOOL_FORKED;
		return fail(DBPOOL_FORKED,
			"the pool belongs to the parent process: start one in this process");
	}
	struct acquisition request = {
		.pool = pool,
		.borrower = { .lease = ret_lease, .thread = thread_id(), .site = site },
		.last_slot = &last_slot,
		.started = now_usec(),
	};
	pthread_mutex_lock(&pool->lock);
	set_deadline(&request, timeout_ms);
	ret_lease->result = acquire(&request);
	pthread_mutex_unlock(&pool->lock);
	/* the configuration does not change while a connection is lent */
	if (ret_lease->result == DBPOOL_OK && pool->config.raw.log_borrowing)
		report_acquired(&request);
	return ret_lease->result;
}

struct dbpool_lease dbpool_borrow(struct dbpool *pool, int timeout_ms, const char *site)
{
	struct dbpool_lease lease;
	(void)!dbpool_acquire_at(pool, &lease, timeout_ms, site);
	return lease;
}

PGconn *dbpool_conn(const struct dbpool_lease *lease)
{
	if (!lease || !lease->conn_ || lease->pool_->forked)
		return NULL;
	const struct link_slot *slot = &lease->pool_->slots[lease->slot_];
	uint64_t ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	return ticket == lease->ticket_ ? lease->conn_ : NULL;
}
