/* The pool's insides, shared by the files of this folder.
 *
 * Each slot has a lock of its own, which guards the slot: a borrower that finds a connection at
 * rest takes it, and gives it back, with nothing else (acquire.c, release.c). Slots count for
 * themselves, too, so that threads which do not wait for each other share no memory they write to.
 * The pool's mutex guards the rest: the queue, the threads, what happens to a slot that is neither
 * at rest nor held. Both are held for a few dozen instructions at a time: never while a connection
 * is opened, closed or asked, never in a callback. The mutex is taken first, then one slot's lock.
 *
 * Who waits (or a shutdown that begins) and who gives back must not miss each other, without a lock
 * in common: the one says so first (queue.c, `phase`) and then looks at the slots, the other lets
 * the slot rest first and then looks whether somebody said so.
 *
 * Three kinds of threads meet here:
 *
 * - borrowers (acquire.c, release.c), who take and give connections and wait in a queue (queue.c);
 * - one connector (connector.c), who alone opens and closes connections, one at a time: that is
 *   what makes "one probe at a time" and "never more than max" true;
 * - one keeper (keeper.c), who beats the stats page's clock, looks for leaks and expired
 *   connections, and carries the shutdown out (shutdown.c).
 *
 * A connection is a struct link. It is its slot's, and while the slot is held it may be used by
 * the borrower alone: whoever takes it away (reclaim, shutdown) can only cut its socket, and puts
 * it on the list of orphans, where the borrower's release finds it. */
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
	SLOT_CLEANING, /* given back: its last holder tidies up */
	SLOT_CLOSING,  /* its link waits for the connector to close it, or is being closed */
};

/* Guarded by its lock; from and to a state other than SLOT_IDLE and SLOT_HELD also by the pool's.
 * What is SLOT_CLEANING is its last holder's, SLOT_CONNECTING the connector's. */
struct slot {
	_Atomic uint32_t lock;
	_Atomic enum slot_state state; /* without the lock it is a hint */
	_Atomic uint64_t ticket; /* grows with each acquisition and each end of one: odd is held */
	struct link *link; /* SLOT_IDLE, SLOT_HELD, SLOT_CLEANING; SLOT_CLOSING until it is taken */
	struct page_slot *page;
	const char *site; /* the borrower's, or the last one's */
	int64_t since;    /* when this state began: microseconds, monotonic */
	int64_t expires;  /* the link's end of life */
	unsigned uses, max_uses;
	int32_t thread;
	bool leaked; /* this hold was reported */
	int ending;  /* SLOT_CLOSING without a link: ends when the session has; −1 */
} __attribute__((aligned(64)));

/* Who gets a connection, and what it gets. */
struct borrower {
	struct dbpool_lease *lease;
	struct link *link; /* NULL before it was served */
	bool at_once;      /* it has not waited, up to now */
	const char *site;
	int32_t thread;
};

/* A thread that waits, on its own stack. See queue.c. */
struct waiter {
	struct waiter *next, *previous;
	struct borrower *borrower;
	int64_t since;
	int result;    /* why it gets nothing */
	uint32_t word; /* enum waiter_word: what it sleeps on */
};

/* Why no connection could be made, last. */
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
	bool closed;      /* the shutdown has closed all it could: who brings a link closes it */
	bool freed;       /* the last user destroys it: pool_leave() */
	unsigned n_links; /* slots that are not empty */
	unsigned guests;  /* the connector and hooks: threads that a shutdown may leave behind */
	struct page *page;
	struct waiter *first, *last_waiter;
	unsigned n_waiters;

	/* read without the lock by everyone who borrows, and seldom written: a cache line */
	_Atomic enum dbpool_phase phase __attribute__((aligned(64)));
	_Atomic bool nudge; /* the first in the queue sleeps: who gives back wakes it */
	_Atomic unsigned n_slots;
	_Atomic int64_t queued;  /* since when the first in the queue waits; INT64_MAX: nobody */
	_Atomic int64_t suspect; /* links not heard of since then are asked before they are lent */
	int64_t validate_after;  /* … and those not heard of for so long */
	bool forked;             /* in a child process: not ours */

	struct config config __attribute__((aligned(64)));
	struct page_writer *writer;
	struct failure failure;
	struct link *orphans;
	struct hook hooks[DBPOOL_HOOKS_MAX];
	unsigned n_hooks;
	int64_t pending;           /* kept over shutdown for stats */
	int64_t created, ended;    /* realtime and … */
	int64_t created_monotonic; /* … for the uptime */
	struct dbpool_stats last;  /* what stats tells after the end */

	pthread_t connector, keeper;
	bool has_connector, connector_ended, has_keeper, joining;
	pthread_cond_t work;    /* for the connector */
	pthread_cond_t tick;    /* for the keeper */
	pthread_cond_t changed; /* for whoever waits for the pool: start, shutdown */
	int abort_fd;           /* readable: the attempt to connect is given up */
	bool stop;              /* the keeper shall shut down */
	bool close;             /* the connector shall end */
	int ended_as;           /* what dbpool_shutdown() returns */
	int32_t exempt[8]; /* threads that wait for the shutdown: their connections never come back
			    */
	unsigned n_exempt;
	unsigned users; /* of process_shutdown(): it must not be freed */

	int64_t next_probe; /* not before; 0 at once */
	int64_t backoff;
	bool probe_wanted; /* somebody was turned away */
	bool greeted;      /* predecessors were looked after */

	struct dbpool *next;  /* of the process's pools: process.c */
	struct dbpool *older; /* the default pool before it, which a thread still uses */
	struct slot slots[DBPOOL_MAX];
};

/* --- threads, text: util.c --- */

/* A thread with all signals blocked. 0 or −EAGAIN. */
int start_thread(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *data);

/* The calling thread's id, kept. */
int32_t thread_id(void);
void thread_id_forget(void);

/* Waits with the lock held; until: monotonic. */
void wait_until(struct dbpool *pool, pthread_cond_t *cond, int64_t until);

/* A length of time for people. */
const char *say_usec(int64_t usec, char text[static 24]);

/* --- what failed: error.c --- */

/* Sets dbpool_error() and returns result. */
int fail(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- events: event.c --- */

/* Fills in the text. Without the lock. */
void tell(const struct dbpool *pool, struct dbpool_event *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- slots: slot.c --- */

bool slot_try_lock(struct slot *slot);
void slot_lock(struct slot *slot);
void slot_unlock(struct slot *slot);

/* With the slot's lock held: */

/* Fills in the borrower's lease and link. */
void slot_lend(struct dbpool *pool, struct slot *slot, struct borrower *borrower, int64_t now);
/* Ends the hold: the lease's ticket is no longer good. The slot is SLOT_CLEANING. */
void slot_take_back(struct slot *slot, int64_t now);
void slot_rest(struct slot *slot, int64_t now);
/* Not from or to SLOT_EMPTY: see slot_set(). */
void slot_change(struct slot *slot, enum slot_state state, int64_t now);
/* A held slot loses its link to the caller, who makes it an orphan; it is SLOT_CLOSING. */
struct link *slot_detach(const struct dbpool *pool, struct slot *slot, int64_t now);
/* As at the beginning; tickets go on, so that old leases stay stale. */
void slot_clear(struct slot *slot, struct page_slot *page, unsigned max_uses, int64_t now);

/* Without it: */

/* Lends one at rest; NULL for none. It looks at all of them, from `first` on. `patient`, with the
 * pool's lock held: also waits for the locks of those that seem to be at rest, so that none is
 * overlooked, and lends to whoever still gets one while the pool ends. */
struct slot *slot_take_idle(
	struct dbpool *pool, struct borrower *borrower, int64_t now, unsigned first, bool patient);
bool slot_is_spent(const struct slot *slot, int64_t now);
int slot_number(const struct dbpool *pool, const struct slot *slot);
/* How many are in that state, about now. */
unsigned slots_count(const struct dbpool *pool, enum slot_state state);

/* … but with the pool's: */

/* Also from and to SLOT_EMPTY. */
void slot_set(struct dbpool *pool, struct slot *slot, enum slot_state state, int64_t now);
/* Its link is the connector's to close. */
void slot_give_up(struct dbpool *pool, struct slot *slot, int64_t now);
/* Cuts a detached link, and keeps it for its borrower's release; the slot waits for the session's
 * end. */
void orphan_add(struct dbpool *pool, struct slot *slot, struct link *link, bool polite);
/* The orphan of that lease, no longer on the list; NULL for none. */
struct link *orphan_find(struct dbpool *pool, const struct dbpool_lease *lease);

/* --- waiters: queue.c; with the pool's lock held --- */

enum waiter_word { WAITER_WAITS, WAITER_NUDGED, WAITER_SERVED, WAITER_FAILED };

void queue_append(struct dbpool *pool, struct waiter *waiter);
void queue_prepend(struct dbpool *pool, struct waiter *waiter);
void queue_remove(struct dbpool *pool, struct waiter *waiter);
/* It is about to sleep: from now on, if it is the first, who gives back wakes it. */
void queue_call(struct dbpool *pool, struct waiter *waiter);
/* The slot is the caller's own, and its connection free: it goes to the first waiter or to the
 * reserve. Whom to wake once the lock is released, or NULL. */
struct waiter *queue_offer(struct dbpool *pool, struct slot *slot, int64_t now);
/* Connections rest while somebody waits: whom to wake, or NULL. */
struct waiter *queue_nudge(struct dbpool *pool);
void queue_fail_all(struct dbpool *pool, int result);

/* Without any lock: */

/* A waiter old enough not to be overtaken. */
bool queue_has_priority(const struct dbpool *pool, int64_t now);
/* The waiter may have gone meanwhile. */
void queue_wake(struct waiter *waiter);
/* Until the word is no longer WAITER_WAITS, or the deadline: monotonic, INT64_MAX for none. */
void queue_sleep(struct waiter *waiter, int64_t deadline);

/* --- the threads --- */

void *connector_run(void *pool);
void *keeper_run(void *pool);
/* Carries the shutdown out, in the keeper. */
void shutdown_run(struct dbpool *pool);
/* Ends sessions of dead predecessors, over a fresh link. */
void predecessors_end(struct dbpool *pool, struct link *link);

/* Whether the calling thread runs a hook of this pool. */
bool hook_is_here(const struct dbpool *pool);
void hooks_run(struct dbpool *pool, enum dbpool_hook_phase phase, int64_t until);
/* Wakes the connector if there is work for it. With the lock held. */
void connector_wake(struct dbpool *pool);

/* --- the process: process.c, signals.c --- */

/* The pool takes part in fork, exit and, as configured, signals. 0 or a negative errno. */
int process_join(struct dbpool *pool);
void process_leave(struct dbpool *pool);
/* Shuts every pool down that takes part, all at a time. */
void process_shutdown(bool for_signal);
/* What exit() does first is what was registered last: OpenSSL, which the first connection starts,
 * must still be there when we close. */
void process_at_exit_again(void);
/* Grows with each fork(). */
unsigned process_forks(void);

int signals_start(void);
void signals_stop(void);
/* In the child: the parent's signals are its own. */
void signals_forked(void);
/* The process is about to end by a signal. */
bool signals_are_ending(void);

/* --- the whole: pool.c --- */

/* Whether it lends to everyone. */
bool pool_lends(const struct dbpool *pool);
/* Asks the keeper to shut down; nothing is waited for. */
void pool_request_end(struct dbpool *pool);
/* The one of dbpool_start(), also after its end; or NULL. */
struct dbpool *pool_latest(void);
/* The end of the shutdown: no longer the default one. */
void pool_forget(const struct dbpool *pool);
/* A thread that the shutdown left behind, or a connection that did not come back in time: the pool
 * keeps its page, and is not started again. With the lock held. */
bool pool_is_in_use(const struct dbpool *pool);
/* The page and what else a pool has only while it is used. With the lock held. */
void pool_drop_page(struct dbpool *pool);
/* A guest has ended, or a link has gone. Releases the lock; after the shutdown the last one also
 * drops the page and, once the pool was freed, destroys it. */
void pool_leave(struct dbpool *pool);

#endif
