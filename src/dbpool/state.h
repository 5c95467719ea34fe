/* The internals of the pool, shared by the files of this folder: see docs/architecture.md for the
 * order in which they use each other.
 *
 * One mutex guards everything. It is held for a few dozen instructions: never while a connection is
 * opened, closed, cleaned or tested, and never during a callback. A thread that waits for a
 * connection has a condition variable of its own (queue.c).
 *
 * Three kinds of threads use the pool:
 *
 * - borrowers (acquire.c, release.c), which acquire and release connections and wait in a queue
 *   (queue.c);
 * - one connector (connector.c), the only thread that opens connections, one at a time. So there is
 *   one connection attempt at a time, and never more than max connections. It also closes
 *   connections until the shutdown;
 * - one housekeeper (housekeeper.c), which updates the stats page's clock, finds leaks and expired
 *   connections, and runs the shutdown (shutdown.c).
 *
 * A connection is a struct pool_link, owned by its slot. While the slot is held, only the borrower
 * may use the link's PGconn. Reclaiming or a shutdown can therefore only shut its socket down; they
 * move the link to the list of orphans, where the borrower's release finds and frees it. */
#ifndef DBPOOL_STATE_H
#define DBPOOL_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbpool/config.h"
#include "dbpool/dbpool.h"
#include "dbpool/error.h"
#include "dbpool/link.h"
#include "page/writer.h"

enum slot_state {
	SLOT_EMPTY,
	SLOT_CONNECTING,
	SLOT_IDLE,
	SLOT_HELD,
	SLOT_CLEANING, /* released: the thread that released it cleans it */
	SLOT_CLOSING,  /* its link waits to be closed by the connector, or is being closed */
	SLOT_STATES,
};

/* Fields that two processors write at the same time are in different cache lines: moving a line
 * from one processor to another takes longer than the rest of an acquisition. */
#define CACHE_LINE 64

struct link_slot {
	_Alignas(CACHE_LINE) enum slot_state state;
	_Atomic uint64_t ticket; /* +1 at each acquisition and at each end of one: odd while held */
	struct pool_link *link; /* SLOT_IDLE, SLOT_HELD, SLOT_CLEANING; SLOT_CLOSING until closed */
	struct page_slot *page;
	const char *site; /* of the borrower, or of the last one */
	int64_t since;    /* when this state began: microseconds, monotonic */
	int64_t expires;  /* when the link's lifetime ends: monotonic */
	unsigned uses;
	int32_t thread;
	bool leaked; /* the present hold was reported as a leak */
	int ending; /* SLOT_CLOSING without a link: a socket that ends with the session; else −1 */
};

/* A thread that acquires a connection, and what it gets. */
struct borrower {
	struct dbpool_lease *lease;
	struct link_slot *slot; /* once it is served */
	const char *site;
	int32_t thread;
};

enum waiter_state {
	WAITER_SLEEPS,
	WAITER_NUDGED, /* woken, to take a connection from the reserve */
	WAITER_SERVED, /* it has a connection, and is no longer in the queue */
	WAITER_FAILED, /* see result; it is no longer in the queue */
};

/* A waiting thread; lies on that thread's stack. */
struct pool_waiter {
	struct pool_waiter *next, *previous;
	struct borrower *borrower;
	int64_t since;
	enum waiter_state state;
	int result;
	pthread_cond_t woken;
};

/* Why the last attempt to connect failed. */
struct connect_failure {
	int result; /* DBPOOL_OK: the last attempt succeeded, or there was none */
	char text[TEXT_MAX];
};

struct hook {
	struct dbpool_hook hook;
	char name[48];
	struct page_hook *page;
};

struct dbpool {
	/* all that each acquisition and each release writes, besides its slot */
	_Alignas(CACHE_LINE) pthread_mutex_t lock;
	uint16_t n_slots[SLOT_STATES]; /* the number of slots in each state */
	struct pool_waiter *first;     /* of the queue */

	_Alignas(CACHE_LINE) struct pool_waiter *last_waiter;
	unsigned n_waiters;
	enum dbpool_phase phase;
	bool forked; /* this is a child process: the pool is the parent's; read without the lock */
	bool closed; /* what could be closed is closed: a late link is closed by its thread */
	bool freed;  /* dbpool_free() was called: the last user destroys it, in pool_leave() */
	int64_t suspect; /* links with no answer since then are tested before they are lent */
	unsigned guests; /* the connector and hooks: a shutdown may leave them behind */
	struct page *page;
	struct pool_config config;
	struct page_writer *writer;
	struct connect_failure failure;
	struct pool_link *orphans;
	struct hook hooks[DBPOOL_HOOKS_MAX];
	unsigned n_hooks;
	struct dbpool_outbox outboxes[DBPOOL_HOOKS_MAX]; /* each open one has a hook */
	size_t n_outboxes;
	int64_t created;           /* realtime */
	int64_t created_monotonic; /* for the uptime */
	struct dbpool_stats last;  /* the statistics after the end */

	pthread_t connector, housekeeper;
	bool has_connector, connector_ended, has_housekeeper, joining;
	pthread_cond_t work;    /* wakes the connector */
	pthread_cond_t tick;    /* wakes the housekeeper */
	pthread_cond_t changed; /* wakes threads that wait for the start or the shutdown */
	int abort_fd;           /* readable: a running attempt to connect is given up */
	bool stop;              /* the housekeeper shall shut the pool down */
	bool close;             /* the connector shall end */
	int ended_as;           /* what dbpool_shutdown() returns */
	int32_t exempt[8]; /* threads that wait for the shutdown: they cannot release what they hold
			    */
	unsigned n_exempt;
	unsigned users; /* shutdowns of the whole process that use the pool: it must not be freed */

	int64_t next_probe; /* when the next attempt to connect is allowed; 0: at once */
	int64_t backoff;
	bool probe_wanted; /* an acquisition was refused: try to connect again */
	bool stale_ended;  /* the first connection has ended the stale sessions */

	struct dbpool *next;  /* in the list of the process's pools: process.c */
	struct dbpool *older; /* the previous default pool, which a thread still uses */
	struct link_slot slots[DBPOOL_MAX];
};

#endif
