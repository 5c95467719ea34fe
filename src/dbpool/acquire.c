/* Borrowing. */
#include <stdio.h>

#include "dbpool/pool.h"

/* How long a connection that has rested may take to answer, before it counts as broken. */
#define ANSWER_TIMEOUT (1000 * 1000)
#define LEAST_TIMEOUT  (5 * 1000)

#define MOST_HOLDERS 3 /* are named in a timeout's text */

struct request {
	struct dbpool *pool;
	struct dbpool_lease *lease;
	int64_t started, deadline; /* monotonic; INT64_MAX */
	int timeout_ms;
	int64_t timeout; /* the same, settled */
	int32_t thread;
	const char *site;
};

static bool lends(const struct dbpool *pool)
{
	if (pool->phase == DBPOOL_RUNNING || pool->phase == DBPOOL_STARTING)
		return true;
	return (pool->phase == DBPOOL_STOPPING || pool->phase == DBPOOL_FLUSHING) &&
		hook_is_here(pool);
}

static int succeed(const struct request *request, struct slot *slot)
{
	struct dbpool_lease *lease = request->lease;
	lease->pool_ = request->pool;
	lease->slot_ = (int)(slot - request->pool->slots);
	lease->ticket_ = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	lease->conn_ = slot->link->conn;
	return DBPOOL_OK;
}

/* Whether the connection must be listened to before it is lent. */
static bool is_doubtful(
	const struct dbpool *pool, const struct slot *slot, int64_t now, bool *ret_ask)
{
	const struct link *link = slot->link;
	*ret_ask = link->heard < pool->suspect || now - link->heard > pool->config.validate_after;
	return *ret_ask || link->resetting;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The connection we hold is broken. With the lock held. */
static void give_up_broken(struct dbpool *pool, struct slot *slot)
{
	int64_t now = now_usec();
	pool->suspect = now;
	slot_take_back(pool, slot, now);
	/* nobody has borrowed it */
	page_add(pool->page->totals.acquired, -1);
	page_add(pool->page->totals.released, -1);
	page_add(pool->page->totals.errors, 1);
	slot_give_up(pool, slot, now);
}

static void tell_broken(const struct dbpool *pool, int slot, int backend_pid)
{
	struct dbpool_event event = {
		.kind = DBPOOL_EVENT_LOST, .slot = slot, .backend_pid = backend_pid
	};
	tell(pool, &event, "slot %d: the connection is broken, and is replaced", slot);
}

/* The slot is held for us, and its connection must be listened to. With the lock held, which is
 * released meanwhile. False: it was broken, or taken from us by a shutdown. */
static bool settle(const struct request *request, struct slot *slot, bool ask)
{
	struct dbpool *pool = request->pool;
	struct link *link = slot->link;
	uint64_t ticket = atomic_load_explicit(&slot->ticket, memory_order_relaxed);
	bool resetting = link->resetting;
	pthread_mutex_unlock(&pool->lock);
	int64_t now = now_usec(), deadline = earlier(now + ANSWER_TIMEOUT, request->deadline);
	/* being late is our fault, not the connection's: it has a moment in any case */
	if (deadline < now + LEAST_TIMEOUT)
		deadline = now + LEAST_TIMEOUT;
	bool good = link_settle(link, ask, deadline);
	int number = slot_number(pool, slot), backend_pid = link->backend_pid;
	pthread_mutex_lock(&pool->lock);
	if (atomic_load_explicit(&slot->ticket, memory_order_relaxed) != ticket) {
		struct link *orphan = slot_find_orphan(pool, (int)(slot - pool->slots), ticket);
		pthread_mutex_unlock(&pool->lock);
		link_free(orphan);
		pthread_mutex_lock(&pool->lock);
		return false;
	}
	if (good) {
		page_add(pool->page->totals.resets, resetting);
		return true;
	}
	give_up_broken(pool, slot);
	pthread_mutex_unlock(&pool->lock);
	tell_broken(pool, number, backend_pid);
	pthread_mutex_lock(&pool->lock);
	return false;
}

static void count_wait(const struct request *request, int64_t now)
{
	struct page *page = request->pool->page;
	page_add(page->histograms.wait[page_bucket(now - request->started)], 1);
}

/* "3 of 3 in use: slot 1 by thread 4312 for 7m12s from sync.c:212; …", the longest first. */
static void describe_holders(const struct dbpool *pool, char *text, size_t size)
{
	int64_t now = now_usec();
	const struct slot *told[MOST_HOLDERS];
	unsigned n = 0;
	size_t length =
		(size_t)snprintf(text, size, "%u of %u in use", pool->n_held, pool->config.max);
	for (; n < MOST_HOLDERS; n++) {
		const struct slot *oldest = NULL;
		for (unsigned i = 0; i < pool->config.max; i++) {
			const struct slot *slot = &pool->slots[i];
			bool seen = slot->state != SLOT_HELD;
			for (unsigned j = 0; j < n; j++)
				seen = seen || told[j] == slot;
			if (!seen && (!oldest || slot->since < oldest->since))
				oldest = slot;
		}
		if (!oldest)
			return;
		char held[24];
		told[n] = oldest;
		if (length < size)
			length += (size_t)snprintf(text + length, size - length,
				"%s slot %d by thread %d for %s from %s", n ? ";" : ":",
				slot_number(pool, oldest), oldest->thread,
				say_usec(now - oldest->since, held),
				oldest->site ? oldest->site : "an unknown place");
	}
}

/* The deadline has passed. With the lock held. */
static int give_up(const struct request *request)
{
	struct dbpool *pool = request->pool;
	char holders[TEXT_MAX / 2], waited[24];
	const struct failure *failure = &pool->failure;
	page_add(pool->page->totals.timeouts, 1);
	count_wait(request, now_usec());
	say_usec(request->timeout, waited);
	if (failure->result > 0 && pool->n_held + pool->n_idle == 0)
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

/* One turn of waiting: with the lock held, which is released while asleep. True when it is over:
 * ret_slot is ours, or NULL and ret_result says why. */
static bool wait_once(const struct request *request, struct waiter *waiter, struct slot **ret_slot,
	int *ret_result)
{
	struct dbpool *pool = request->pool;
	struct waiter *next = NULL;
	*ret_slot = NULL;
	pthread_mutex_unlock(&pool->lock);
	queue_sleep(waiter, request->deadline);
	pthread_mutex_lock(&pool->lock);
	int64_t now = now_usec();
	if (waiter->word == WAITER_SERVED) {
		*ret_slot = waiter->slot;
		return true;
	}
	if (waiter->word == WAITER_FAILED) {
		*ret_result = explain_failure(pool, waiter->result);
		return true;
	}
	bool is_first = pool->first == waiter;
	if (is_first && pool->n_idle) {
		queue_remove(pool, waiter);
		*ret_slot = slot_pop_idle(pool);
		slot_lend(pool, *ret_slot, now, request->thread, request->site);
	} else if (now >= request->deadline) {
		queue_remove(pool, waiter);
		*ret_result = give_up(request);
	} else {
		waiter->word = WAITER_WAITS;
		return false;
	}
	/* there may be one more at rest, for the next one */
	next = queue_nudge(pool);
	pthread_mutex_unlock(&pool->lock);
	queue_wake(next);
	pthread_mutex_lock(&pool->lock);
	return true;
}

/* With the lock held, and so it returns. `again`: it was served, and the connection was broken: it
 * goes back to the head. */
static int wait_in_line(const struct request *request, bool again, struct slot **ret_slot)
{
	struct dbpool *pool = request->pool;
	struct waiter waiter = {
		.since = request->started, .thread = request->thread, .site = request->site
	};
	int result = DBPOOL_OK;
	if (again)
		queue_prepend(pool, &waiter);
	else
		queue_append(pool, &waiter);
	if (pool->n_links < pool->config.max)
		connector_wake(pool);
	/* with one at rest the first turn does not sleep */
	waiter.word = pool->first == &waiter && pool->n_idle ? WAITER_NUDGED : WAITER_WAITS;
	while (!wait_once(request, &waiter, ret_slot, &result))
		;
	return result;
}

/* No server takes our credentials, and there is no connection: nobody needs to wait for that. */
static bool is_hopeless(struct dbpool *pool)
{
	if (pool->failure.result != DBPOOL_REFUSED || pool->n_held + pool->n_idle)
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

/* With the lock held; it returns without. */
static int acquire_slowly(struct request *request, struct slot *slot)
{
	struct dbpool *pool = request->pool;
	int result = DBPOOL_OK;
	set_deadline(request);
	for (bool again = false;; again = true) {
		bool ask;
		if (!slot && !lends(pool))
			result = refuse(pool);
		else if (!slot && is_hopeless(pool))
			result = explain_failure(pool, DBPOOL_REFUSED);
		else if (!slot)
			result = wait_in_line(request, again, &slot);
		if (!slot)
			break;
		if (!is_doubtful(pool, slot, now_usec(), &ask) || settle(request, slot, ask))
			break;
		slot = NULL;
	}
	if (slot) {
		count_wait(request, now_usec());
		result = succeed(request, slot);
	}
	pthread_mutex_unlock(&pool->lock);
	return result;
}

static int acquire(struct request *request)
{
	struct dbpool *pool = request->pool;
	bool ask;
	pthread_mutex_lock(&pool->lock);
	if (!pool->n_idle || !lends(pool) || queue_has_priority(pool, request->started))
		return acquire_slowly(request, NULL);
	struct slot *slot = slot_pop_idle(pool);
	slot_lend(pool, slot, request->started, request->thread, request->site);
	if (is_doubtful(pool, slot, request->started, &ask))
		return acquire_slowly(request, slot);
	page_add(pool->page->histograms.wait[0], 1);
	int result = succeed(request, slot);
	pthread_mutex_unlock(&pool->lock);
	return result;
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
		.lease = ret_lease,
		.started = now_usec(),
		.timeout_ms = timeout_ms,
		.thread = thread_id(),
		.site = site,
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
