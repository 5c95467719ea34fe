/* libdbpool: a pool of PostgreSQL connections, one for a process, that finds and prevents leaks.
 *
 *     static const struct dbpool_config config = {
 *         .size = sizeof(config), .conninfo = "dbname=app", .name = "app" };
 *     if (dbpool_start(&config) != DBPOOL_OK)
 *         errx(1, "%s", dbpool_error());
 *     …
 *     DBPOOL_SCOPED(lease, NULL);          // released when this scope ends, in any way
 *     if (lease.result != DBPOOL_OK)
 *         return complain(dbpool_error());
 *     PGresult *result = PQexec(dbpool_conn(&lease), "SELECT 1");
 *
 * Functions that can fail return 0 (DBPOOL_OK), a positive dbpool_result, or a negative errno
 * (-ENOMEM, -EINVAL, -EAGAIN when no thread can be started). They never end the process. After a
 * failure dbpool_error() returns a description. All may be called in any thread; none may be called
 * from a signal handler. A NULL pool means the default pool.
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

/* In the configuration, 0 means a setting's default; this value means none, never or off. */
#define DBPOOL_OFF (-1)

#define DBPOOL_MAX 256 /* the most connections of a pool */

struct dbpool;

enum dbpool_result {
	DBPOOL_OK,
	DBPOOL_TIMEOUT, /* all were in use until the timeout: dbpool_error() names the borrowers */
	DBPOOL_SHUTTING_DOWN, /* the pool shuts down, has shut down, or was never started */
	DBPOOL_UNREACHABLE,   /* no server answers */
	DBPOOL_FULL,          /* the server has no free connection slot */
	DBPOOL_REFUSED,       /* wrong password, unknown role or database, pg_hba.conf */
	DBPOOL_DIFFERENT,     /* the default pool already runs, with another configuration */
	DBPOOL_STALE,  /* this lease was released before, or the pool took its connection back */
	DBPOOL_FORKED, /* the pool belongs to the parent process: this is a forked child */
	DBPOOL_LATE,   /* the deadline passed: the remaining connections were dropped */
};

/* A result's text for logs: "timeout", "server full", … Never NULL. */
DBPOOL_API const char *dbpool_result_name(int result);

/* Describes the last failure in this thread, in one line or more, without a line break at the end.
 * Returns "" when no call has failed. Valid until the next call in this thread. */
DBPOOL_API const char *dbpool_error(void);

/* --- configuration --- */

/* How a used connection is cleaned before another borrower gets it. An open transaction is always
 * rolled back. */
enum dbpool_reset {
	/* Resets everything that a session can change (settings, temporary tables, prepared
	 * statements, cursors, LISTEN, advisory locks) if any statement was run, because even a
	 * plain SELECT may change the session. The reset is sent at release, without waiting for
	 * the answer. A borrower that gets the connection before the answer has arrived waits for
	 * it, about as long as for one statement. */
	DBPOOL_RESET_USED,
	/* The same reset, but only when a result shows that the session may have changed: of SET,
	 * LISTEN, PREPARE, PQprepare(), DECLARE, CREATE, SELECT INTO, LOCK, DO, CALL, … Misses
	 * changes by functions, such as set_config() or pg_advisory_lock() in a SELECT. */
	DBPOOL_RESET_TOLD,
	DBPOOL_RESET_NEVER,
};

enum dbpool_event_kind {
	DBPOOL_EVENT_LEAK, /* held for longer than held_ms, and no result came in for as long */
	DBPOOL_EVENT_RECLAIMED,   /* taken back from its borrower after reclaim_ms */
	DBPOOL_EVENT_LOST,        /* a connection broke, idle or borrowed; it is replaced */
	DBPOOL_EVENT_DOWN,        /* connecting fails: reported when the reason changes */
	DBPOOL_EVENT_UP,          /* connecting succeeds again */
	DBPOOL_EVENT_PREDECESSOR, /* a session of a dead process was ended, or could not be */
	DBPOOL_EVENT_HOOK,        /* a hook has run: see result and usec */
	DBPOOL_EVENT_SHUTDOWN,    /* the shutdown has begun or ended */
	DBPOOL_EVENT_NO_PAGE,     /* no stats page could be created */
	DBPOOL_EVENT_START,       /* the pool runs: its limits, its server, what shuts it down */
	DBPOOL_EVENT_ACTIVE,      /* a result came in on a connection that was reported as a leak */
	DBPOOL_EVENT_ACQUIRED,    /* only with log_borrowing: a connection was lent */
	DBPOOL_EVENT_RELEASED,    /* only with log_borrowing: it was given back */
};

/* Strings are valid during the call only. A field that does not apply is 0 or NULL. */
struct dbpool_event {
	enum dbpool_event_kind kind;
	const char *text; /* the whole event in one line, for people */
	int slot;         /* counts from 1 */
	int backend_pid;
	int thread;       /* the borrower's thread id */
	const char *site; /* where it acquired the connection */
	int64_t usec;     /* how long the connection was held, the hook ran or the shutdown took;
			     DBPOOL_EVENT_ACQUIRED: how long the acquisition took */
	int result;       /* of the hook, the shutdown or the attempt to connect */
	int warning;      /* 1: something is wrong, or is right again; the default log prints it */
};

/* May be called in any thread; no lock is held. The pool waits for it to return: a slow function
 * delays the opening and the release of connections. */
typedef void dbpool_log_fn(void *data, const struct dbpool_event *event);

/* Zero it, set `size`, then set the fields that shall differ from their default. Strings are
 * copied. Later versions append fields. */
struct dbpool_config {
	size_t size; /* sizeof(struct dbpool_config), as the program was compiled */

	const char *conninfo; /* as PQconnectdb() takes it; NULL: from the environment */
	const char *name;     /* the application's name; NULL: the program's name */
	int min;              /* connections kept open: 1; DBPOOL_OFF: 0 */
	int max;              /* most connections: 3; at most DBPOOL_MAX */

	int acquire_timeout_ms; /* 5,000; DBPOOL_OFF: no timeout */
	int connect_timeout_ms; /* 5,000, or libpq's for each address: dbpool(3) */
	int idle_lifetime_ms;   /* 300,000: connections above min are closed when idle for longer */
	int max_lifetime_ms;    /* 1,800,000, shortened at random by up to a tenth */
	int max_uses;           /* 10,000 acquisitions of one connection */
	int validate_after_ms; /* 1,000: a connection idle for longer is tested before it is lent */
	enum dbpool_reset reset; /* DBPOOL_RESET_USED */

	int held_ms;    /* 60,000: a connection held for longer, and without a result for as long,
			   is reported as a leak; the next result takes the report back */
	int reclaim_ms; /* off: a connection held for longer is taken back: its query is cancelled
			   and its session ended; the borrower's next call on it fails */

	/* Server settings, set where the server has them and they are off. */
	int check_interval_ms; /* 1,000: client_connection_check_interval (PostgreSQL 14): a query
				  ends when its client is gone */
	int idle_in_transaction_ms; /* 300,000: idle_in_transaction_session_timeout */

	int shutdown_ms; /* 10,000: time for the whole shutdown */
	int drain_ms; /* 3,000 of these: borrowers may finish before their queries are cancelled */

	int lazy;                /* 1: start does not wait for a first connection */
	int no_signals;          /* 1: does not handle SIGINT and SIGTERM */
	int no_exit;             /* 1: exit() does not shut down */
	int no_predecessors;     /* 1: does not end the sessions that dead processes left behind */
	int no_page;             /* 1: no stats page */
	const char *page_folder; /* NULL: $XDG_RUNTIME_DIR/dbpool, or /tmp/dbpool-UID */

	dbpool_log_fn *log; /* called for each event; NULL: warnings are written to stderr */
	void *log_data;
	int no_log;        /* 1: writes nothing to stderr when `log` is NULL */
	int log_borrowing; /* 1: each acquisition and each release is an event, too */
};

/* --- life --- */

/* Starts the default pool and, unless `lazy` is set or min is 0, waits for its first connection.
 * When several threads call it at the same time, one pool is created and all calls return when it
 * runs. Returns DBPOOL_OK also when the pool already runs with the same configuration, and
 * DBPOOL_DIFFERENT when it runs with another one; dbpool_error() then names the first setting that
 * differs. DBPOOL_UNREACHABLE, DBPOOL_FULL and DBPOOL_REFUSED mean that no pool was started. The
 * pool may be started again after a shutdown.
 *
 * From then on SIGINT and SIGTERM shut the pool down, unless they are ignored or `no_signals` is
 * set. The shutdown runs in its own thread; the signal handler only writes a byte to a pipe. If the
 * application installed its own handler before, that handler is called too, and the application
 * decides when and how to end. Otherwise the process ends by the signal, which a shell sees as 128
 * + n. A second signal during the shutdown ends the process at once. */
DBPOOL_API int dbpool_start(const struct dbpool_config *config) DBPOOL_CHECKED;

/* Returns the pool of dbpool_start(), or NULL when none runs. The pointer stays valid until the
 * process ends. After a shutdown, calls with it return DBPOOL_SHUTTING_DOWN. */
DBPOOL_API struct dbpool *dbpool_default(void);

/* Creates and starts a pool besides the default one: for libraries and tests. */
DBPOOL_API int dbpool_new(
	const struct dbpool_config *config, struct dbpool **ret_pool) DBPOOL_CHECKED;

/* Stops lending, runs the hooks, waits for borrowers, cancels running queries, closes all
 * connections and waits until the server's sessions have ended. Returns DBPOOL_OK, or DBPOOL_LATE
 * when shutdown_ms passed and connections were dropped, or when a release or a look-up of the
 * server's name did not end. A call during or after a shutdown waits for its end and returns the
 * same result. Connections held by the calling thread are not waited for. */
DBPOOL_API int dbpool_shutdown(struct dbpool *pool);

/* Shuts a pool of dbpool_new() down, unless it has shut down already, and frees it. Leases of it
 * may still be released afterwards. NULL is allowed and does nothing here. */
DBPOOL_API void dbpool_free(struct dbpool *pool);

/* --- borrowing --- */

/* One borrowed connection. The application may read `result` only. */
struct dbpool_lease {
	int result; /* the acquisition's result */
	int slot_;
	uint64_t ticket_;
	struct dbpool *pool_;
	PGconn *conn_;
};

#define DBPOOL_STRING_(x) #x
#define DBPOOL_STRING(x)  DBPOOL_STRING_(x)
#define DBPOOL_HERE       __FILE__ ":" DBPOOL_STRING(__LINE__)
#define DBPOOL_DEFAULT_MS 0 /* the configuration's acquire_timeout_ms */

/* Borrows a connection. Waiters are served in order: a thread that has waited for three
 * milliseconds is never overtaken. Returns DBPOOL_OK, DBPOOL_TIMEOUT, DBPOOL_SHUTTING_DOWN,
 * DBPOOL_UNREACHABLE, DBPOOL_FULL, DBPOOL_REFUSED or DBPOOL_FORKED, also in ret_lease->result.
 *
 * When the server is unreachable, the call waits until the timeout; refused credentials are
 * reported at once when no connection is open. `timeout_ms`: DBPOOL_DEFAULT_MS for the configured
 * timeout, DBPOOL_OFF for none. `site` names the calling place for reports; it is a string literal,
 * or lives as long as the process; NULL means unknown. */
DBPOOL_API int dbpool_acquire_at(struct dbpool *pool, struct dbpool_lease *ret_lease,
	int timeout_ms, const char *site) DBPOOL_CHECKED;

#define dbpool_acquire(pool, ret_lease)                                                            \
	dbpool_acquire_at((pool), (ret_lease), DBPOOL_DEFAULT_MS, DBPOOL_HERE)

/* Returns the connection, or NULL when the lease holds none or no longer holds one. libpq's
 * functions accept NULL, and fail. The connection may be used until the release; it must not be
 * kept, nor passed to PQfinish(). The lease no longer holds one when the pool has taken the
 * connection back, or has noticed that its session ended. */
DBPOOL_API PGconn *dbpool_conn(const struct dbpool_lease *lease);

/* Gives the connection back and empties the lease; may be called in any thread. A running query is
 * cancelled, and the connection is then closed. Returns DBPOOL_OK, or DBPOOL_STALE when this lease
 * or a copy of it was released before, or the pool has taken the connection back, or its session
 * has ended. DBPOOL_STALE does not affect the slot's present borrower. */
DBPOOL_API int dbpool_release(struct dbpool_lease *lease);

/* The same, but the connection is closed and not used again. */
DBPOOL_API int dbpool_discard(struct dbpool_lease *lease);

/* For DBPOOL_SCOPED: releases the connection if the lease still holds one. */
DBPOOL_API void dbpool_scope_end(struct dbpool_lease *lease);

/* The same as dbpool_acquire_at(), for DBPOOL_SCOPED. */
DBPOOL_API struct dbpool_lease dbpool_borrow(struct dbpool *pool, int timeout_ms, const char *site);

#if defined(__GNUC__)
/* Declares a lease, acquires a connection, and releases it when the scope ends: by return, break or
 * goto. `unused` prevents a warning where the lease is only held. */
#define DBPOOL_SCOPED(lease, pool)                                                                 \
	__attribute__((cleanup(dbpool_scope_end), unused)) struct dbpool_lease lease =             \
		dbpool_borrow((pool), DBPOOL_DEFAULT_MS, DBPOOL_HERE)
#endif

/* --- hooks --- */

enum dbpool_hook_phase {
	DBPOOL_HOOK_STOP,   /* as soon as the pool has stopped lending */
	DBPOOL_HOOK_FLUSH,  /* then: to write pending data. Only hooks may still borrow */
	DBPOOL_HOOK_CLOSED, /* when all connections are closed */
};

#define DBPOOL_HOOKS_MAX 16

/* A function of the application that a shutdown calls. The hooks of a phase run in the order in
 * which they were added, each in its own thread, whether or not the others succeeded. A hook that
 * runs over its deadline is no longer waited for. It may still call the pool's functions, even
 * after dbpool_free(), but after the flush phase it gets no connection. */
struct dbpool_hook {
	const char *name; /* copied; cut after 47 bytes */
	enum dbpool_hook_phase phase;
	int deadline_ms;        /* 0: 5,000 */
	int (*run)(void *data); /* returns 0 for success; the value is reported */
	void *data;
};

/* Returns DBPOOL_OK, -ENOSPC when there are DBPOOL_HOOKS_MAX hooks already, or
 * DBPOOL_SHUTTING_DOWN. A shutdown removes all hooks after it has run them. */
DBPOOL_API int dbpool_hook_add(struct dbpool *pool, const struct dbpool_hook *hook) DBPOOL_CHECKED;

/* Removes the hook that was added with these. Returns DBPOOL_OK: it will not be called. Returns
 * -ENOENT when there is no such hook, or DBPOOL_SHUTTING_DOWN when a shutdown has begun: the hook
 * may be called, run, or have run. */
DBPOOL_API int dbpool_hook_remove(
	struct dbpool *pool, int (*run)(void *data), const void *data) DBPOOL_CHECKED;

/* Sets the number of writes that are pending in the application, for the stats page. May be called
 * at any time, also by a hook that flushes. A negative number means unknown. */
DBPOOL_API void dbpool_pending(struct dbpool *pool, int64_t left);

/* A durable queue that sends its writes over the pool. */
struct dbpool_outbox {
	uint64_t id;      /* random, the same whenever the same file is opened */
	int64_t waiting;  /* writes that the server has not confirmed */
	int64_t rejected; /* writes that it refused for good, and that are kept */
	int64_t oldest;   /* when the oldest waiting one was stored, µs since 1970; 0: none */
	int normal_fsync; /* 1: a power loss may take the last writes */
	int closed;       /* 1: it sends no more; what waits stays in its file */
};

/* Sets what the stats page shows about an outbox. libdboutbox calls it; an application that has a
 * durable queue of its own may do the same. These writes are not lost when the process ends, so
 * they must not be among those of dbpool_pending(). `size` is sizeof(struct dbpool_outbox), as the
 * program was compiled. */
DBPOOL_API void dbpool_outbox(struct dbpool *pool, const struct dbpool_outbox *outbox, size_t size);

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

/* A phase's text: "running", … Never NULL. */
DBPOOL_API const char *dbpool_phase_name(enum dbpool_phase phase);

struct dbpool_stats {
	enum dbpool_phase phase;
	int size; /* open connections: idle + in_use */
	int idle, in_use, min, max;
	int waiters;
	int leaks; /* connections that are reported as leaks at present */
	uint64_t acquired, released, timeouts;
	uint64_t errors;         /* connections that could not be opened, or broke later */
	uint64_t opened, closed; /* of connections */
	int64_t created;         /* microseconds since 1970; 0 when never started */
	int64_t uptime;          /* microseconds; stops at the end of the shutdown */
	int64_t pending;         /* writes, negative for unknown */
	uint64_t lost;           /* sessions that ended while they were borrowed */
};

/* Works in every phase, also before the first start and after the shutdown. `size` is sizeof(struct
 * dbpool_stats), as the program was compiled. */
DBPOOL_API void dbpool_stats(struct dbpool *pool, struct dbpool_stats *ret_stats, size_t size);

/* Returns the stats page's path, or NULL when there is no file. Valid as long as the pool runs. */
DBPOOL_API const char *dbpool_page_path(struct dbpool *pool);

#ifdef __cplusplus
}
#endif

#endif
