/* libdbpool: a process's one pool of PostgreSQL connections, that does not leak them.
 *
 *     static const struct dbpool_config config = {
 *         .size = sizeof(config), .conninfo = "dbname=app", .name = "app" };
 *     if (dbpool_start(&config) != DBPOOL_OK)
 *         errx(1, "%s", dbpool_error());
 *     …
 *     DBPOOL_SCOPED(lease, NULL);          // given back at the end of this scope, whatever happens
 *     if (lease.result != DBPOOL_OK)
 *         return complain(dbpool_error());
 *     PGresult *result = PQexec(dbpool_conn(&lease), "SELECT 1");
 *
 * Functions that can fail return 0 (DBPOOL_OK), a positive dbpool_result, or a negative errno
 * (-ENOMEM, -EINVAL, -EAGAIN when no thread can be started). They never end the process. After a
 * failure dbpool_error() says more. All are safe in any thread; none may be called from a signal
 * handler. Where a pool is expected, NULL is the default pool.
 *
 * Needs GCC or Clang for DBPOOL_SCOPED; the rest is plain C and C++. */
#ifndef DBPOOL_H
#define DBPOOL_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DBPOOL_API     __attribute__((visibility("default")))
#define DBPOOL_CHECKED __attribute__((warn_unused_result))
#else
#define DBPOOL_API
#define DBPOOL_CHECKED
#endif

/* In the configuration, 0 is a setting's default; this is none, never, off. */
#define DBPOOL_OFF (-1)

#define DBPOOL_MAX 256 /* the most connections of a pool */

struct dbpool;

enum dbpool_result {
	DBPOOL_OK,
	DBPOOL_TIMEOUT, /* all were in use for all of the time: dbpool_error() tells by whom */
	DBPOOL_SHUTTING_DOWN, /* or has shut down, or was never started */
	DBPOOL_UNREACHABLE,   /* no server answers */
	DBPOOL_FULL,          /* the server has no slot left for us */
	DBPOOL_REFUSED,       /* wrong password, unknown role or database, pg_hba.conf */
	DBPOOL_DIFFERENT,     /* it runs already, with another configuration */
	DBPOOL_STALE,         /* this lease was given back before, or taken back */
	DBPOOL_FORKED,        /* the pool is the parent process's */
	DBPOOL_LATE,          /* the deadline passed: what was left was dropped */
};

/* "timeout", "server full", …: for logs. Never NULL. */
DBPOOL_API const char *dbpool_result_name(int result);

/* The last failure in this thread, one line or more, without a line break at the end. "" before the
 * first. Valid until the next call in this thread. */
DBPOOL_API const char *dbpool_error(void);

/* --- configuration --- */

/* What is done to a connection that was used, before another borrower gets it. An open transaction
 * is rolled back in any case. */
enum dbpool_reset {
	/* Everything a session can change is reset (settings, temporary tables, prepared
	 * statements, cursors, LISTEN, advisory locks) if any statement was run at all, because a
	 * plain SELECT may have changed it. It goes to the server at release, without waiting; the
	 * next borrower finds it done, or waits for it if it comes at once: as long as for one more
	 * statement. */
	DBPOOL_RESET_USED,
	/* Only when a command tag or a reported setting showed a change: SET, LISTEN, PREPARE,
	 * DECLARE, CREATE, LOCK, DO, CALL, … Misses what functions do, as set_config() or
	 * pg_advisory_lock() in a SELECT. */
	DBPOOL_RESET_TOLD,
	DBPOOL_RESET_NEVER,
};

enum dbpool_event_kind {
	DBPOOL_EVENT_LEAK,        /* held for longer than held_ms: told once a hold */
	DBPOOL_EVENT_RECLAIMED,   /* taken back after reclaim_ms */
	DBPOOL_EVENT_LOST,        /* a connection broke; it is replaced */
	DBPOOL_EVENT_DOWN,        /* cannot connect: told when the reason changes */
	DBPOOL_EVENT_UP,          /* can again */
	DBPOOL_EVENT_PREDECESSOR, /* a session of a dead process was ended, or could not be */
	DBPOOL_EVENT_HOOK,        /* a hook has run: result and usec */
	DBPOOL_EVENT_SHUTDOWN,    /* shutdown begins, and ends */
	DBPOOL_EVENT_NO_PAGE,     /* no stats page could be made */
};

/* Strings live as long as the call. What does not apply is 0 or NULL. */
struct dbpool_event {
	enum dbpool_event_kind kind;
	const char *text; /* all of it in one line, for people */
	int slot;         /* 1 and up */
	int backend_pid;
	int thread;       /* the borrower's thread id */
	const char *site; /* where it borrowed */
	int64_t usec;     /* how long it was held, the hook ran, the shutdown took */
	int result;       /* the hook's */
};

/* Called in any thread, with no lock held. It may take its time, but connections wait for it. */
typedef void dbpool_log_fn(void *data, const struct dbpool_event *event);

/* Zero it and set `size`, then what is to differ. Strings are copied. Later versions append. */
struct dbpool_config {
	size_t size; /* sizeof(struct dbpool_config), as the program was compiled */

	const char *conninfo; /* as PQconnectdb() takes it; NULL: the environment's */
	const char *name;     /* the application's; NULL: the program's */
	int min;              /* kept open, 1; DBPOOL_OFF: 0 */
	int max;              /* 3; at most DBPOOL_MAX */

	int acquire_timeout_ms;  /* 5,000; DBPOOL_OFF: for ever */
	int connect_timeout_ms;  /* 5,000, or libpq's for each address: dbpool(3) */
	int idle_lifetime_ms;    /* 300,000: above min, closed when idle for longer */
	int max_lifetime_ms;     /* 1,800,000, less up to a tenth by chance */
	int max_uses;            /* 10,000 acquisitions of one connection */
	int validate_after_ms;   /* 1,000: idle for longer, it is asked before it is lent */
	enum dbpool_reset reset; /* DBPOOL_RESET_USED */

	int held_ms;    /* 60,000: held for longer is reported as a leak */
	int reclaim_ms; /* off: held for longer, its query is cancelled and the session ended; the
			   borrower's next call on it fails */

	/* Set on the server where it has them. */
	int check_interval_ms; /* 1,000: a session whose client is gone ends in mid-query, too (14)
				*/
	int idle_in_transaction_ms; /* 300,000: idle_in_transaction_session_timeout */

	int shutdown_ms; /* 10,000: all of the shutdown */
	int drain_ms;    /* 3,000 of them: borrowers may finish, before they are cancelled */

	int lazy;                /* 1: start without waiting for a first connection */
	int no_signals;          /* 1: SIGINT and SIGTERM are left alone */
	int no_exit;             /* 1: exit() does not shut down */
	int no_predecessors;     /* 1: sessions of dead predecessors are left alone */
	int no_page;             /* 1: no stats page */
	const char *page_folder; /* NULL: $XDG_RUNTIME_DIR/dbpool, or /tmp/dbpool-UID */

	dbpool_log_fn *log; /* NULL: nothing is told */
	void *log_data;
};

/* --- life --- */

/* Starts the process's one pool and, unless `lazy` or min is 0, waits for its first connection.
 * However many threads call it, one pool is made, and all return when it is there. DBPOOL_OK also
 * when it runs with the same configuration; DBPOOL_DIFFERENT when with another, and
 * dbpool_error() says what differs. DBPOOL_UNREACHABLE, DBPOOL_FULL, DBPOOL_REFUSED: no pool was
 * started. After a shutdown it may be started again.
 *
 * SIGINT and SIGTERM, unless ignored or `no_signals`, then shut the pool down in a thread of its
 * own (the handler itself only writes a byte to a pipe). An application's own handler, installed
 * before, is called first, and the application then decides when and how to end; without one, the
 * process ends by the signal, which a shell sees as 128 + n. A second signal while the pool shuts
 * down ends the process at once. */
DBPOOL_API int dbpool_start(const struct dbpool_config *config) DBPOOL_CHECKED;

/* The pool of dbpool_start(), or NULL when none runs. The pointer stays valid for good, also after
 * a shutdown: calls then return DBPOOL_SHUTTING_DOWN. */
DBPOOL_API struct dbpool *dbpool_default(void);

/* A pool beside the default one: for libraries and tests. */
DBPOOL_API int dbpool_new(
	const struct dbpool_config *config, struct dbpool **ret_pool) DBPOOL_CHECKED;

/* Stops lending, runs the hooks, waits for borrowers, cancels what still runs, closes, waits until
 * the server's sessions have ended. Returns when all is done: DBPOOL_OK, or DBPOOL_LATE when
 * shutdown_ms passed and connections were dropped, or a release or a look-up of the server's name
 * did not end. Called again, or while it is under way, it waits for that end and returns the same.
 * Connections held by the calling thread are not waited for. */
DBPOOL_API int dbpool_shutdown(struct dbpool *pool);

/* Shuts a pool of dbpool_new() down, if need be, and frees it. Leases may still be given back
 * after. NULL is allowed, and does nothing here. */
DBPOOL_API void dbpool_free(struct dbpool *pool);

/* --- borrowing --- */

/* One borrowed connection. Only `result` is yours to read. */
struct dbpool_lease {
	int result; /* of the acquisition */
	int slot_;
	uint64_t ticket_;
	struct dbpool *pool_;
	PGconn *conn_;
};

#define DBPOOL_STRING_(x) #x
#define DBPOOL_STRING(x)  DBPOOL_STRING_(x)
#define DBPOOL_HERE       __FILE__ ":" DBPOOL_STRING(__LINE__)
#define DBPOOL_DEFAULT_MS 0 /* the configuration's acquire_timeout_ms */

/* Borrows a connection, first come, first served: a thread that has waited for three milliseconds
 * is never overtaken. Returns DBPOOL_OK, DBPOOL_TIMEOUT, DBPOOL_SHUTTING_DOWN, DBPOOL_UNREACHABLE,
 * DBPOOL_FULL, DBPOOL_REFUSED or DBPOOL_FORKED, also in ret_lease->result.
 *
 * An outage is waited out until the timeout; refused credentials are told at once. `timeout_ms`:
 * DBPOOL_DEFAULT_MS, DBPOOL_OFF to wait for ever. `site` is a string literal, or lives as long as
 * the process; NULL for unknown. */
DBPOOL_API int dbpool_acquire_at(struct dbpool *pool, struct dbpool_lease *ret_lease,
	int timeout_ms, const char *site) DBPOOL_CHECKED;

#define dbpool_acquire(pool, ret_lease)                                                            \
	dbpool_acquire_at((pool), (ret_lease), DBPOOL_DEFAULT_MS, DBPOOL_HERE)

/* The connection, or NULL when the lease holds none (any more); libpq's functions take NULL, and
 * fail. It is the borrower's until the release: it must not be kept, nor given to PQfinish(). */
DBPOOL_API PGconn *dbpool_conn(const struct dbpool_lease *lease);

/* Gives the connection back, from whichever thread, and empties the lease. A query that still runs
 * is cancelled. DBPOOL_OK; DBPOOL_STALE when it was given back before, by this lease or a copy of
 * it: nothing happens then to whoever has the connection now. */
DBPOOL_API int dbpool_release(struct dbpool_lease *lease);

/* The same, and the connection is closed, not used again. */
DBPOOL_API int dbpool_discard(struct dbpool_lease *lease);

/* For DBPOOL_SCOPED: releases what is held. */
DBPOOL_API void dbpool_scope_end(struct dbpool_lease *lease);

/* The same as dbpool_acquire_at(), for DBPOOL_SCOPED. */
DBPOOL_API struct dbpool_lease dbpool_borrow(struct dbpool *pool, int timeout_ms, const char *site);

#if defined(__GNUC__)
/* Declares a lease, acquires it, and gives it back where its scope ends: by return, break or
 * goto. To hold one is to use it: no compiler warns. */
#define DBPOOL_SCOPED(lease, pool)                                                                 \
	__attribute__((cleanup(dbpool_scope_end), unused)) struct dbpool_lease lease =             \
		dbpool_borrow((pool), DBPOOL_DEFAULT_MS, DBPOOL_HERE)
#endif

/* --- hooks --- */

enum dbpool_hook_phase {
	DBPOOL_HOOK_STOP,   /* as soon as no more is lent */
	DBPOOL_HOOK_FLUSH,  /* then: to write what is pending. Only hooks may still borrow */
	DBPOOL_HOOK_CLOSED, /* when all is closed */
};

#define DBPOOL_HOOKS_MAX 16

/* What the application does at shutdown. Hooks of a phase run in the order they were added, each in
 * a thread of its own and whatever happened to the others; one that runs over its deadline is left
 * behind. It may still use the pool, which lends it nothing more, also after dbpool_free(). */
struct dbpool_hook {
	const char *name; /* copied, 47 bytes are shown */
	enum dbpool_hook_phase phase;
	int deadline_ms;        /* 0: 5,000 */
	int (*run)(void *data); /* 0 for success; its result is reported */
	void *data;
};

/* DBPOOL_OK, -ENOSPC when there are too many, DBPOOL_SHUTTING_DOWN. A shutdown forgets them. */
DBPOOL_API int dbpool_hook_add(struct dbpool *pool, const struct dbpool_hook *hook) DBPOOL_CHECKED;

/* How many writes are pending in the application, shown on the stats page: at any time, and while a
 * hook flushes. Negative for unknown. */
DBPOOL_API void dbpool_pending(struct dbpool *pool, int64_t left);

/* --- statistics --- */

enum dbpool_phase {
	DBPOOL_NONE, /* never started */
	DBPOOL_STARTING,
	DBPOOL_RUNNING,
	DBPOOL_STOPPING,
	DBPOOL_FLUSHING,
	DBPOOL_DRAINING,
	DBPOOL_CANCELLING,
	DBPOOL_CLOSING,
	DBPOOL_DONE,
};

/* "running", …: never NULL. */
DBPOOL_API const char *dbpool_phase_name(enum dbpool_phase phase);

struct dbpool_stats {
	enum dbpool_phase phase;
	int size; /* connections open: idle + in_use */
	int idle, in_use, min, max;
	int waiters;
	int leaks; /* in use for longer than held_ms */
	uint64_t acquired, released, timeouts;
	uint64_t errors;         /* connections that failed, to open or later */
	uint64_t opened, closed; /* connections */
	int64_t created;         /* microseconds since 1970; 0 when never started */
	int64_t uptime;          /* microseconds, until the shutdown's end */
	int64_t pending;         /* writes, negative for unknown */
};

/* In every phase, also before the first start and after the shutdown. `size` is sizeof(struct
 * dbpool_stats), as the program was compiled. */
DBPOOL_API void dbpool_stats(struct dbpool *pool, struct dbpool_stats *ret_stats, size_t size);

/* The stats page's path; NULL when there is no file. It lives as long as the pool runs. */
DBPOOL_API const char *dbpool_page_path(struct dbpool *pool);

#ifdef __cplusplus
}
#endif

#endif
