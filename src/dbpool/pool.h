/* The internals of the pool, shared by the files of this folder.
 *
 * Each slot has its own lock. Borrowing an idle connection and giving it back need only this lock
 * (acquire.c, release.c). Each slot also has its own counters, so that threads that do not wait for
 * each other write to no common memory. The pool's mutex guards everything else: the queue, the
 * threads, and slots that are neither idle nor held. Both locks are held for a few dozen
 * instructions only: never while a connection is opened, closed or tested, and never during a
 * callback. Lock order: first the mutex, then one slot's lock.
 *
 * A waiter (or a beginning shutdown) and a release must not miss each other, although they share no
 * lock. The waiter first publishes that it waits (queue.c; a shutdown sets `phase`) and then checks
 * the slots. The release first makes the slot idle and then checks whether somebody waits.
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

#include "dbpool/clock.h"
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
};

/* Guarded by its lock. Changes from or to a state other than SLOT_IDLE and SLOT_HELD also need the
 * pool's mutex. In SLOT_CLEANING the slot belongs to the thread that released it, in
 * SLOT_CONNECTING to the connector. */
struct slot {
	_Atomic uint32_t lock;
	_Atomic enum slot_state state; /* read without the lock, it is only a hint */
	_Atomic uint64_t ticket; /* +1 at each acquisition and at each end of one: odd while held */
	struct link *link; /* SLOT_IDLE, SLOT_HELD, SLOT_CLEANING; SLOT_CLOSING until closed */
	struct page_slot *page;
	const char *site; /* of the borrower, or of the last one */
	int64_t since;    /* when this state began: microseconds, monotonic */
	int64_t expires;  /* when the link's lifetime ends: monotonic */
	unsigned uses, max_uses;
	int32_t thread;
	bool leaked; /* the present hold was reported as a leak */
	int ending; /* SLOT_CLOSING without a link: a socket that ends with the session; else −1 */
} __attribute__((aligned(64)));

/* A thread that acquires a connection, and what it gets. */
struct borrower {
	struct dbpool_lease *lease;
	struct link *link; /* NULL until it is served */
	bool at_once;      /* true while it has not waited */
	const char *site;
	int32_t thread;
};

/* A waiting thread; lies on that thread's stack. See queue.c. */
struct waiter {
	struct waiter *next, *previous;
	struct borrower *borrower;
	int64_t since;
	int result;    /* for WAITER_FAILED: why */
	uint32_t word; /* enum waiter_word: the futex that it sleeps on */
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
	bool closed;      /* what could be closed is closed: a late link is closed by its thread */
	bool freed;       /* dbpool_free() was called: the last user destroys it, in pool_leave() */
	unsigned n_links; /* slots that are not empty */
	unsigned guests;  /* the connector and hooks: a shutdown may leave them behind */
	struct page *page;
	struct waiter *first, *last_waiter;
	unsigned n_waiters;

	/* Read by every borrower without the lock and seldom written, so in a cache line of their
	 * own. */
	_Atomic enum dbpool_phase phase __attribute__((aligned(64)));
	_Atomic bool nudge; /* the first in the queue sleeps: a release must wake it */
	_Atomic unsigned n_slots;
	_Atomic int64_t queued;  /* when the first waiter began to wait; INT64_MAX: none */
	_Atomic int64_t suspect; /* links with no answer since then are tested first */
	int64_t validate_after;  /* so are links without an answer for this long */
	bool forked;             /* this is a child process: the pool is the parent's */

	struct config config __attribute__((aligned(64)));
	struct page_writer *writer;
	struct failure failure;
	struct link *orphans;
	struct hook hooks[DBPOOL_HOOKS_MAX];
	unsigned n_hooks;
	int64_t pending;           /* for the statistics, also after the shutdown */
	int64_t created, ended;    /* realtime */
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

/* --- slots: slot.c --- */

bool slot_try_lock(struct slot *slot);
void slot_lock(struct slot *slot);
void slot_unlock(struct slot *slot);

/* These need the slot's lock: */

/* Makes the slot held, and fills in the borrower's lease and link. */
void slot_lend(struct dbpool *pool, struct slot *slot, struct borrower *borrower, int64_t now);
/* Ends the hold: the lease's ticket becomes stale, the slot SLOT_CLEANING. */
void slot_take_back(struct slot *slot, int64_t now);
void slot_rest(struct slot *slot, int64_t now);
/* Must not be used from or to SLOT_EMPTY: see slot_set(). */
void slot_change(struct slot *slot, enum slot_state state, int64_t now);
/* Takes the link out of a held slot, which becomes SLOT_CLOSING. The caller passes the link to
 * orphan_add(). */
struct link *slot_detach(const struct dbpool *pool, struct slot *slot, int64_t now);
/* Sets the slot to its initial values. Its ticket keeps growing, so that old leases stay stale. */
void slot_clear(struct slot *slot, struct page_slot *page, unsigned max_uses, int64_t now);

/* These must be called without the slot's lock: */

/* Lends an idle connection; NULL for none. Checks all slots, beginning at `first`. With `patient`
 * (the pool's mutex is held) it waits for the locks of slots that seem idle, so that it misses
 * none, and lends even if the pool no longer lends to everyone. */
struct slot *slot_take_idle(
	struct dbpool *pool, struct borrower *borrower, int64_t now, unsigned first, bool patient);
bool slot_is_spent(const struct slot *slot, int64_t now);
int slot_number(const struct dbpool *pool, const struct slot *slot);
/* The number of slots in that state. Approximate, because no slot's lock is taken. */
unsigned slots_count(const struct dbpool *pool, enum slot_state state);

/* These need the pool's mutex, too: */

/* Changes the state; from and to SLOT_EMPTY it also keeps n_links up to date. */
void slot_set(struct dbpool *pool, struct slot *slot, enum slot_state state, int64_t now);
/* Passes the slot's link to the connector, which closes it. */
void slot_give_up(struct dbpool *pool, struct slot *slot, int64_t now);
/* Cuts a detached link and keeps it for its borrower's release. The connector waits for the
 * session's end before it empties the slot. */
void orphan_add(struct dbpool *pool, struct slot *slot, struct link *link, bool polite);
/* Removes the orphan of that lease from the list and returns it; NULL for none. */
struct link *orphan_find(struct dbpool *pool, const struct dbpool_lease *lease);

/* --- waiters: queue.c; with the pool's lock held --- */

enum waiter_word { WAITER_WAITS, WAITER_NUDGED, WAITER_SERVED, WAITER_FAILED };

void queue_append(struct dbpool *pool, struct waiter *waiter);
void queue_prepend(struct dbpool *pool, struct waiter *waiter);
void queue_remove(struct dbpool *pool, struct waiter *waiter);
/* Must be called before queue_sleep(): from then on a release wakes this waiter if it is the
 * first. */
void queue_call(struct dbpool *pool, struct waiter *waiter);
/* Gives the caller's slot, whose connection is free, to the first waiter if it has priority, else
 * to the reserve. Returns the waiter to wake once the lock is released, or NULL. */
struct waiter *queue_offer(struct dbpool *pool, struct slot *slot, int64_t now);
/* To be called when connections may be idle while threads wait. Returns the waiter to wake, or
 * NULL. */
struct waiter *queue_nudge(struct dbpool *pool);
void queue_fail_all(struct dbpool *pool, int result);

/* These need no lock: */

/* True when the first waiter has waited long enough not to be overtaken. */
bool queue_has_priority(const struct dbpool *pool, int64_t now);
/* The waiter may have returned already: its memory is not accessed. NULL is allowed. */
void queue_wake(struct waiter *waiter);
/* Returns when the word is no longer WAITER_WAITS or the deadline has passed (monotonic; INT64_MAX
 * for none), or earlier. */
void queue_sleep(struct waiter *waiter, int64_t deadline);

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
/* Wakes the connector, which checks for work. The pool's mutex is held. */
void connector_wake(struct dbpool *pool);

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
