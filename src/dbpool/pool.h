/* The internals of the pool, shared by the files of this folder.
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
 * - one keeper (keeper.c), which updates the stats page's clock, finds leaks and expired
 *   connections, and runs the shutdown (shutdown.c).
 *
 * A connection is a struct link, owned by its slot. While the slot is held, only the borrower may
 * use the link's PGconn. Reclaiming or a shutdown can therefore only shut its socket down; they
 * move the link to the list of orphans, where the borrower's release finds and frees it. */
#ifndef DBPOOL_POOL_H
#define DBPOOL_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbpool/config.h"
#include "dbpool/dbpool.h"
#include "dbpool/link.h"
#include "page/writer.h"

#define TEXT_MAX 1024

enum slot_state {
	SLOT_EMPTY,
	SLOT_CONNECTING,
	SLOT_IDLE,
	SLOT_HELD,
	SLOT_CLEANING, /* released: the thread that released it cleans it */
	SLOT_CLOSING,  /* its link waits to be closed by the connector, or is being closed */
	SLOT_STATES,
};

struct slot {
	enum slot_state state;
	_Atomic uint64_t ticket; /* +1 at each acquisition and at each end of one: odd while held */
	struct link *link; /* SLOT_IDLE, SLOT_HELD, SLOT_CLEANING; SLOT_CLOSING until closed */
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
	struct slot *slot; /* once it is served */
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
struct waiter {
	struct waiter *next, *previous;
	struct borrower *borrower;
	int64_t since;
	enum waiter_state state;
	int result;
	pthread_cond_t woken;
};

/* Why the last attempt to connect failed. */
struct failure {
	int result; /* DBPOOL_OK: the last attempt succeeded, or there was none */
	char text[TEXT_MAX];
};

struct hook {
	struct dbpool_hook hook;
	char name[48];
	struct page_hook *page;
};

struct dbpool {
	pthread_mutex_t lock;
	enum dbpool_phase phase;
	bool forked; /* this is a child process: the pool is the parent's; read without the lock */
	bool closed; /* what could be closed is closed: a late link is closed by its thread */
	bool freed;  /* dbpool_free() was called: the last user destroys it, in pool_leave() */
	int64_t suspect; /* links with no answer since then are tested before they are lent */
	struct waiter *first, *last_waiter;
	unsigned n_waiters;
	unsigned n_slots[SLOT_STATES]; /* the number of slots in each state */
	unsigned guests; /* the connector and hooks: a shutdown may leave them behind */
	struct page *page;
	struct config config;
	struct page_writer *writer;
	struct failure failure;
	struct link *orphans;
	struct hook hooks[DBPOOL_HOOKS_MAX];
	unsigned n_hooks;
	int64_t created;           /* realtime */
	int64_t created_monotonic; /* for the uptime */
	struct dbpool_stats last;  /* the statistics after the end */

	pthread_t connector, keeper;
	bool has_connector, connector_ended, has_keeper, joining;
	pthread_cond_t work;    /* wakes the connector */
	pthread_cond_t tick;    /* wakes the keeper */
	pthread_cond_t changed; /* wakes threads that wait for the start or the shutdown */
	int abort_fd;           /* readable: a running attempt to connect is given up */
	bool stop;              /* the keeper shall shut the pool down */
	bool close;             /* the connector shall end */
	int ended_as;           /* what dbpool_shutdown() returns */
	int32_t exempt[8]; /* threads that wait for the shutdown: they cannot release what they hold
			    */
	unsigned n_exempt;
	unsigned users; /* calls of process_shutdown() that use the pool: it must not be freed */

	int64_t next_probe; /* when the next attempt to connect is allowed; 0: at once */
	int64_t backoff;
	bool probe_wanted; /* an acquisition was refused: try to connect again */
	bool greeted;      /* predecessors_end() was called */

	struct dbpool *next;  /* in the list of the process's pools: process.c */
	struct dbpool *older; /* the previous default pool, which a thread still uses */
	struct slot slots[DBPOOL_MAX];
};

/* --- threads, text: util.c --- */

/* Starts a thread with all signals blocked. Returns 0 or a negative errno. */
int start_thread(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *data);

/* The calling thread's id; cached. */
int32_t thread_id(void);
void thread_id_forget(void);

/* Microseconds of CLOCK_MONOTONIC. */
int64_t now_usec(void);
struct timespec to_timespec(int64_t usec);

/* Initializes a condition variable whose deadlines are of CLOCK_MONOTONIC. */
void init_cond(pthread_cond_t *cond);

/* Waits on `cond` with the pool's mutex held. `until` is monotonic; INT64_MAX: no limit. */
void wait_until(struct dbpool *pool, pthread_cond_t *cond, int64_t until);

/* Formats a length of time for people. */
const char *say_usec(int64_t usec, char text[static 24]);

/* --- what failed: error.c --- */

/* Sets dbpool_error() and returns result. */
int fail(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- events: event.c --- */

/* Calls the application's log function with the formatted text. No lock may be held. */
void tell(const struct dbpool *pool, struct dbpool_event *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- slots: slot.c; with the pool's mutex held --- */

/* Makes the slot held, and fills in the borrower's lease. */
void slot_lend(struct dbpool *pool, struct slot *slot, struct borrower *borrower, int64_t now);
/* Ends the hold: the lease's ticket becomes stale, the slot SLOT_CLEANING. */
void slot_take_back(struct dbpool *pool, struct slot *slot, int64_t now);
void slot_rest(struct dbpool *pool, struct slot *slot, int64_t now);
/* For SLOT_EMPTY, SLOT_CONNECTING and SLOT_CLOSING. */
void slot_change(struct dbpool *pool, struct slot *slot, enum slot_state state, int64_t now);
/* Passes the slot's link to the connector, which closes it. */
void slot_give_up(struct dbpool *pool, struct slot *slot, int64_t now);
/* Sets the slot to its initial values. Its ticket keeps growing, so that old leases stay stale. */
void slot_clear(struct slot *slot, struct page_slot *page, int64_t now);
/* The first slot in that state, or NULL. */
struct slot *slot_find(struct dbpool *pool, enum slot_state state);
bool slot_is_lent_to(const struct slot *slot, const struct dbpool_lease *lease);
bool slot_is_spent(const struct dbpool *pool, const struct slot *slot, int64_t now);
int slot_number(const struct dbpool *pool, const struct slot *slot);
unsigned slots_open(const struct dbpool *pool); /* idle or held */
unsigned slots_used(const struct dbpool *pool); /* not empty */

/* Takes a held slot from its borrower: cuts its link and keeps it for the borrower's release. The
 * connector waits for the session's end before it empties the slot. */
void orphan_make(struct dbpool *pool, struct slot *slot, bool polite, int64_t now);
/* Removes the orphan of that lease from the list and returns it; NULL for none. */
struct link *orphan_find(struct dbpool *pool, const struct dbpool_lease *lease);

/* --- waiters: queue.c; with the pool's mutex held --- */

void queue_append(struct dbpool *pool, struct waiter *waiter);
void queue_prepend(struct dbpool *pool, struct waiter *waiter);
void queue_remove(struct dbpool *pool, struct waiter *waiter);
/* True when the first waiter has waited long enough not to be overtaken. */
bool queue_has_priority(const struct dbpool *pool, int64_t now);
/* Gives a slot whose connection is free to the first waiter if it has priority, else to the
 * reserve. */
void queue_offer(struct dbpool *pool, struct slot *slot, int64_t now);
/* Wakes the first waiter if a connection is idle. */
void queue_nudge(struct dbpool *pool);
void queue_fail_all(struct dbpool *pool, int result);

/* --- the threads --- */

void *connector_run(void *pool);
void *keeper_run(void *pool);
/* Runs the shutdown, in the keeper thread. */
void shutdown_run(struct dbpool *pool);
/* Ends the sessions that dead processes of this application left behind, over a new link. */
void predecessors_end(struct dbpool *pool, struct link *link);

/* Whether the calling thread runs a hook of this pool. */
bool hook_is_here(const struct dbpool *pool);
void hooks_run(struct dbpool *pool, enum dbpool_hook_phase phase, int64_t until);

/* --- the process: process.c, signals.c --- */

/* From then on fork(), exit() and, unless configured otherwise, signals act on the pool. Returns 0
 * or a negative errno. */
int process_join(struct dbpool *pool);
void process_leave(struct dbpool *pool);
/* Shuts down, at the same time, all joined pools whose configuration does not exclude it. */
void process_shutdown(bool for_signal);
/* Registers the exit handler once more, after OpenSSL, which the first connection initializes, has
 * registered its own. exit() calls the last registered handler first, so OpenSSL still works while
 * the pool closes its connections. */
void process_at_exit_again(void);
/* The number of calls of fork() so far. */
unsigned process_forks(void);

int signals_start(void);
void signals_stop(void);
/* In a forked child: removes the parent's handlers and closes its pipe. */
void signals_forked(void);
/* True while the process is about to end by a signal. */
bool signals_are_ending(void);

/* --- the whole: pool.c --- */

/* True when the pool lends to all threads, not only to hooks. */
bool pool_lends(const struct dbpool *pool);
/* Asks the keeper to shut the pool down, and returns at once. */
void pool_request_end(struct dbpool *pool);
/* The pool of dbpool_start(), even after its shutdown; NULL before the first start. */
struct dbpool *pool_latest(void);
/* After a shutdown: the pool is no longer the default one. NULL: in a forked child, which has no
 * pool. */
void pool_forget(const struct dbpool *pool);
/* True while a thread that the shutdown left behind, or a connection that was not released in time,
 * still uses the pool. Such a pool keeps its page and is not started again. The pool's mutex is
 * held. */
bool pool_is_in_use(const struct dbpool *pool);
/* Frees the page and abort_fd, which a pool has only while it is used. The pool's mutex is held. */
void pool_drop_page(struct dbpool *pool);
/* Called when a guest has ended or a link is gone. Releases the pool's mutex. After the shutdown,
 * the last such call also drops the page and, if the pool was freed, destroys the pool. */
void pool_leave(struct dbpool *pool);

#endif
