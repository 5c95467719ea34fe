/* Acquires connections: from the reserve, or by waiting in the queue. */
#include <stdio.h>
#include <stdlib.h>

#include "dbpool/pool.h"

/* How long an idle connection may take to answer before it counts as broken. */
#define ANSWER_TIMEOUT (1000 * 1000)
#define LEAST_TIMEOUT  (5 * 1000)

#define MOST_HOLDERS 3 /* borrowers named in a timeout's text */

/* A thread first tries the slot that it used last, if that was just now: the slot's data is still
 * in its processor's cache, and other threads rarely use it. Later it begins at the first slot
 * again, so that few threads need few connections. */
#define HABIT_USEC 10000

static __thread struct {
	unsigned slot;
	int64_t last;
} habit __attribute__((tls_model("initial-exec")));

struct request {
	struct dbpool *pool;
	struct borrower borrower;
	int64_t started, deadline; /* monotonic; INT64_MAX for none */
	int timeout_ms;
	int64_t timeout; /* in microseconds; INT64_MAX for none */
};

static bool lends(const struct dbpool *pool)
{
	if (pool_lends(pool))
		return true;
	return (pool->phase == DBPOOL_STOPPING || pool->phase == DBPOOL_FLUSHING) &&
		hook_is_here(pool);
}

/* True when the connection must be read from, or tested (*ret_ask), before it is lent. */
static bool is_doubtful(
	const struct dbpool *pool, const struct link *link, int64_t now, bool *ret_ask)
{
	*ret_ask = link->heard < atomic_load_explicit(&pool->suspect, memory_order_relaxed) ||
		now - link->heard > pool->validate_after;
	return *ret_ask || link->resetting;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Gives up the broken connection that the calling thread holds; it does not count as acquired. Both
 * locks are held. */
static void drop_broken(struct dbpool *pool, struct slot *slot)
{
	struct page_counters *counters = &slot->page->counters;
	int64_t now = now_usec();
	slot_take_back(slot, now);
	page_add(counters->acquired, -1);
	page_add(counters->released, -1);
	slot_change(slot, SLOT_CLOSING, now);
	page_add(pool->page->totals.errors, 1);
	pool->suspect = now;
	connector_wake(pool);
}

static void tell_broken(const struct dbpool *pool, int slot, int backend_pid)
{
	struct dbpool_event event = {
		.kind = DBPOOL_EVENT_LOST, .slot = slot, .backend_pid = backend_pid
	};
	tell(pool, &event, "slot %d: the connection is broken, and is replaced", slot);
}

/* Reads the answer to a reset and, if `ask`, tests the connection of the slot that the caller
 * holds. Returns false when the connection is broken, or was taken away by a shutdown. */
static bool settle(struct request *request, struct slot *slot, bool ask)
{
	struct dbpool *pool = request->pool;
	const struct dbpool_lease *lease = request->borrower.lease;
	struct link *link = request->borrower.link, *orphan = NULL;
	bool resetting = link->resetting;
	int number = slot_number(pool, slot), backend_pid = link->backend_pid;
	int64_t now = now_usec(), deadline = earlier(now + ANSWER_TIMEOUT, request->deadline);
	/* even near the request's deadline the test gets LEAST_TIMEOUT: a good connection must not
	 * count as broken because the request is late */
	if (deadline < now + LEAST_TIMEOUT)
		deadline = now + LEAST_TIMEOUT;
	bool good = link_settle(link, ask, deadline);
	pthread_mutex_lock(&pool->lock);
	slot_lock(slot);
	bool ours = atomic_load_explicit(&slot->ticket, memory_order_relaxed) == lease->ticket_;
	if (ours && request->borrower.at_once)
		page_add(slot->page->counters.at_once, -1);
	if (ours && good)
		page_add(slot->page->counters.resets, resetting);
	else if (ours)
		drop_broken(pool, slot);
	else
		orphan = orphan_find(pool, lease);
	slot_unlock(slot);
	pthread_mutex_unlock(&pool->lock);
	request->borrower.at_once = false;
	if (ours && !good)
		tell_broken(pool, number, backend_pid);
	link_free(orphan);
	return ours && good;
}

/* The pool's mutex is held. */
static void count_wait(const struct request *request, int64_t now)
{
	struct page *page = request->pool->page;
	if (page)
		page_add(page->wait[page_bucket(now - request->started)], 1);
}

struct holder {
	int slot;
	int32_t thread;
	int64_t since;
	const char *site;
};

static int compare_since(const void *a, const void *b)
{
	int64_t x = ((const struct holder *)a)->since, y = ((const struct holder *)b)->since;
	return (x > y) - (x < y);
}

/* Lists the borrowers; the longest hold comes first. */
static unsigned list_holders(struct dbpool *pool, struct holder *ret)
{
	unsigned n = 0;
	for (unsigned i = 0; i < pool->config.max; i++) {
		struct slot *slot = &pool->slots[i];
		slot_lock(slot);
		if (slot->state == SLOT_HELD)
			ret[n++] = (struct holder){ .slot = slot_number(pool, slot),
				.thread = slot->thread,
				.since = slot->since,
				.site = slot->site };
		slot_unlock(slot);
	}
	qsort(ret, n, sizeof(*ret), compare_since);
	return n;
}

/* "3 of 3 in use: slot 1 by thread 4312 for 7m12s from sync.c:212; …", the longest hold first. */
static void describe_holders(struct dbpool *pool, char *text, size_t size)
{
	struct holder holders[DBPOOL_MAX];
	unsigned n = list_holders(pool, holders);
	int64_t now = now_usec();
	size_t length = (size_t)snprintf(text, size, "%u of %u in use", n, pool->config.max);
	for (unsigned i = 0; i < n && i < MOST_HOLDERS && length < size; i++) {
		const struct holder *holder = &holders[i];
		char held[24];
		length += (size_t)snprintf(text + length, size - length,
			"%s slot %d by thread %d for %s from %s", i ? ";" : ":", holder->slot,
			holder->thread, say_usec(now - holder->since, held),
			holder->site ? holder->site : "an unknown place");
	}
}

/* True when no connection is idle or held. */
static bool is_empty(const struct dbpool *pool)
{
	return !slots_count(pool, SLOT_HELD) && !slots_count(pool, SLOT_IDLE);
}

/* Reports that the deadline has passed. The pool's mutex is held. */
static int give_up(const struct request *request)
{
	struct dbpool *pool = request->pool;
	char holders[TEXT_MAX / 2], waited[24];
	const struct failure *failure = &pool->failure;
	page_add(pool->page->totals.timeouts, 1);
	count_wait(request, now_usec());
	say_usec(request->timeout, waited);
	if (failure->result > 0 && is_empty(pool))
		return fail(failure->result, "no connection within %s: %s: %s", waited,
			dbpool_result_name(failure->result), failure->text);
	describe_holders(pool, holders, sizeof(holders));
	return fail(DBPOOL_TIMEOUT, "no connection within %s: %s%s%s", waited, holders,
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

/* Announces the waiter to releases; then, if it is the first in the queue, tries to take an idle
 * slot. */
static struct slot *take_idle(const struct request *request, struct waiter *waiter)
{
	struct dbpool *pool = request->pool;
	bool first = pool->first == waiter;
	queue_call(pool, waiter);
	return first ? slot_take_idle(pool, waiter->borrower, now_usec(), 0, true) : NULL;
}

/* Leaves the queue and wakes the next waiter if another connection is idle. The pool's mutex is
 * held; it is released and taken again. */
static void leave_queue(struct dbpool *pool, struct waiter *waiter)
{
	queue_remove(pool, waiter);
	struct waiter *next = queue_nudge(pool);
	pthread_mutex_unlock(&pool->lock);
	queue_wake(next);
	pthread_mutex_lock(&pool->lock);
}

/* Waits in the queue. The pool's mutex is held at the call and at the return. `again`: the
 * connection that the thread got was broken, so it waits at the head of the queue. Returns
 * DBPOOL_OK when the borrower has a connection. */
static int wait_in_line(struct request *request, bool again)
{
	struct dbpool *pool = request->pool;
	struct waiter waiter = { .borrower = &request->borrower, .since = request->started };
	if (again)
		queue_prepend(pool, &waiter);
	else
		queue_append(pool, &waiter);
	for (;;) {
		if (take_idle(request, &waiter)) {
			leave_queue(pool, &waiter);
			return DBPOOL_OK;
		}
		if (now_usec() >= request->deadline) {
			int result = give_up(request);
			leave_queue(pool, &waiter);
			return result;
		}
		if (pool->n_links < pool->config.max)
			connector_wake(pool);
		pthread_mutex_unlock(&pool->lock);
		queue_sleep(&waiter, request->deadline);
		pthread_mutex_lock(&pool->lock);
		if (waiter.word == WAITER_SERVED)
			return DBPOOL_OK;
		if (waiter.word == WAITER_FAILED)
			return explain_failure(pool, waiter.result);
	}
}

/* True when the server refuses the credentials and no connection is open: waiting is useless. The
 * connector tries again, for later callers. */
static bool is_hopeless(struct dbpool *pool)
{
	if (pool->failure.result != DBPOOL_REFUSED || !is_empty(pool))
		return false;
	pool->probe_wanted = true;
	connector_wake(pool);
	return true;
}

static void set_deadline(struct request *request)
{
	int ms = request->timeout_ms;
	request->timeout = ms == DBPOOL_OFF ? INT64_MAX
		: ms == DBPOOL_DEFAULT_MS   ? request->pool->config.acquire_timeout
					    : ms * INT64_C(1000);
	request->deadline =
		request->timeout == INT64_MAX ? INT64_MAX : request->started + request->timeout;
}

/* Waits for a connection, unless the pool cannot lend one. */
static int queue_up(struct request *request, bool again)
{
	struct dbpool *pool = request->pool;
	int result;
	pthread_mutex_lock(&pool->lock);
	if (!lends(pool))
		result = refuse(pool);
	else if (is_hopeless(pool))
		result = explain_failure(pool, DBPOOL_REFUSED);
	else
		result = wait_in_line(request, again);
	pthread_mutex_unlock(&pool->lock);
	return result;
}

static int acquire_slowly(struct request *request)
{
	struct dbpool *pool = request->pool;
	struct borrower *borrower = &request->borrower;
	bool ask;
	set_deadline(request);
	borrower->at_once = borrower->link != NULL;
	for (bool again = false;; again = true) {
		int result = borrower->link ? DBPOOL_OK : queue_up(request, again);
		if (result != DBPOOL_OK)
			return result;
		struct slot *slot = &pool->slots[borrower->lease->slot_];
		if (!is_doubtful(pool, borrower->link, now_usec(), &ask) ||
			settle(request, slot, ask))
			break;
		borrower->link = NULL;
		borrower->lease->conn_ = NULL;
	}
	pthread_mutex_lock(&pool->lock);
	count_wait(request, now_usec());
	pthread_mutex_unlock(&pool->lock);
	return DBPOOL_OK;
}

static int acquire(struct request *request)
{
	struct dbpool *pool = request->pool;
	int64_t now = request->started;
	struct slot *slot = NULL;
	bool ask;
	if (!queue_has_priority(pool, now))
		slot = slot_take_idle(pool, &request->borrower, now,
			now - habit.last < HABIT_USEC ? habit.slot : 0, false);
	if (!slot || is_doubtful(pool, request->borrower.link, now, &ask))
		return acquire_slowly(request);
	habit.slot = (unsigned)request->borrower.lease->slot_;
	habit.last = now;
	return DBPOOL_OK;
}

int dbpool_acquire_at(
	struct dbpool *pool, struct dbpool_lease *ret_lease, int timeout_ms, const char *site)
{
	*ret_lease = (struct dbpool_lease){ .result = DBPOOL_SHUTTING_DOWN };
	if (!pool)
		pool = dbpool_default();
	if (!pool)
		return fail(DBPOOL_SHUTTING_DOWN, "no pool was started");
	if (pool->forked) {
		ret_lease->result = DBPOOL_FORKED;
		return fail(DBPOOL_FORKED, "the pool is the parent process's");
	}
	struct request request = {
		.pool = pool,
		.borrower = { .lease = ret_lease,
			.at_once = true,
			.thread = thread_id(),
			.site = site },
		.started = now_quick(),
		.timeout_ms = timeout_ms,
	};
	ret_lease->result = acquire(&request);
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
	const struct slot *slot = &lease->pool_->slots[lease->slot_];
	uint64_t ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	return ticket == lease->ticket_ ? lease->conn_ : NULL;
}
