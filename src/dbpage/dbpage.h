/* libdbpage: the stats page of a pool of PostgreSQL connections, whatever the pool is.
 *
 *     const struct dbpage_config config = { .size = sizeof(config), .name = "shop",
 *         .server = "db.example:5432/shop", .max = 10 };
 *     int error;
 *     struct dbpage *page = dbpage_open(&config, &error);
 *     …
 *     dbpage_slot(page, 3, DBPAGE_SLOT_IDLE, PQbackendPID(conn), DBPAGE_UNKNOWN, NULL);
 *     dbpage_slot(page, 3, DBPAGE_SLOT_HELD, PQbackendPID(conn), DBPAGE_UNKNOWN, "orders.c:212");
 *     …
 *     dbpage_close(page);
 *
 * The page is a file that says which connections the pool has, and who borrowed them since when and
 * at which line of code. dbtop shows it; docs/stats-page.md describes it for others. libdbpool has
 * a page already.
 *
 * The library has no thread, and does not use libpq. Only dbpage_open() and dbpage_close() wait for
 * a file system; once an hour another call updates the file's times. NULL is allowed as a page:
 * such a call does nothing. So a program whose page could not be created goes on without it.
 *
 * Calls for different slots may be made at the same time in different threads; those for one slot
 * must be ordered by the pool's own lock. No call may run at the same time as dbpage_close(). After
 * fork() the parent's page is not changed by the child: its calls do nothing until it has opened a
 * page of its own. */
#ifndef DBPAGE_H
#define DBPAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DBPAGE_API     __attribute__((visibility("default")))
#define DBPAGE_CHECKED __attribute__((warn_unused_result))
#else
#define DBPAGE_API
#define DBPAGE_CHECKED
#endif

/* As held_ms: there is no limit. */
#define DBPAGE_OFF (-1)

/* As backend_start or number of writes: not known. */
#define DBPAGE_UNKNOWN INT64_MIN

/* A page has at most this many slots. */
#define DBPAGE_SLOTS_MAX 256

struct dbpage;

/* 0 or NULL means a setting's default. The strings are copied. */
struct dbpage_config {
	size_t size;        /* sizeof(struct dbpage_config) */
	const char *name;   /* the pool's name; the program's. At most 63 bytes are shown */
	const char *server; /* "host:port/database", as the pool connects; unknown. Never a
			       password */
	const char *folder; /* $XDG_RUNTIME_DIR/dbpool, or /tmp/dbpool-UID */
	int min;            /* 0: connections that the pool keeps open */
	int max;            /* must be set: slots, 1 to DBPAGE_SLOTS_MAX */
	int held_ms; /* 60,000: dbtop marks a connection that is borrowed, and at rest, for longer;
			DBPAGE_OFF */
};

/* Creates the page. The file appears with its whole content. Returns NULL on failure, with
 * *ret_error (NULL is allowed) set to a negative errno:
 *
 *   -EINVAL  a setting is impossible
 *   -ENOMEM  out of memory
 *   -ENOSPC  the disk is full
 *   -EPERM   the folder is another user's, or others may use it
 *   -EACCES, -EROFS, -ENOENT, …  the folder cannot be written to
 *
 * Of the pages that dead processes left for a pool of this name, the oldest one is removed when
 * there are 64. */
DBPAGE_API struct dbpage *dbpage_open(
	const struct dbpage_config *config, int *ret_error) DBPAGE_CHECKED;

/* The path of the file; valid until dbpage_close(). NULL in a child after fork(). */
DBPAGE_API const char *dbpage_path(const struct dbpage *page);

enum dbpage_slot_state {
	DBPAGE_SLOT_EMPTY,      /* no connection */
	DBPAGE_SLOT_CONNECTING, /* one is being opened */
	DBPAGE_SLOT_IDLE,       /* open, and not borrowed */
	DBPAGE_SLOT_HELD,       /* borrowed */
	DBPAGE_SLOT_CLOSING,
};

/* A slot changes now. The page counts by itself what was opened, closed, borrowed and given back,
 * and for how long.
 *
 * slot: 0 to max − 1; dbtop shows it as slot + 1. Others are ignored.
 * backend_pid: PQbackendPID(); 0 or less: not known.
 * backend_start: as in pg_stat_activity, in microseconds since 1970; DBPAGE_UNKNOWN or 0. Without
 *   it, dbtop takes a session for the slot's only if this process holds its socket, or if its
 *   application_name ends in /PID/SLOT (the shown number).
 * site: "orders.c:212", where it was borrowed; NULL: not known. Only for DBPAGE_SLOT_HELD. At most
 * 63 bytes, the last ones, are shown. */
DBPAGE_API void dbpage_slot(struct dbpage *page, unsigned slot, enum dbpage_slot_state state,
	int32_t backend_pid, int64_t backend_start, const char *site);

/* A change of a slot that is made again and again: for languages in which a call with many
 * arguments is slow. The same as dbpage_slot() with these arguments. */
struct dbpage_change {
	struct dbpage *page;
	unsigned slot;
	enum dbpage_slot_state state;
	int32_t backend_pid;
	int64_t backend_start;
};

DBPAGE_API void dbpage_change(const struct dbpage_change *change, const char *site);

enum dbpage_counter {
	DBPAGE_WAITERS,   /* who waits for a connection now: add 1, then −1 */
	DBPAGE_TIMEOUTS,  /* that waited in vain */
	DBPAGE_ERRORS,    /* connections that could not be opened, or broke */
	DBPAGE_RECLAIMED, /* borrowed connections that the pool took back */
	DBPAGE_LOST,      /* sessions that ended while they were borrowed */
};

DBPAGE_API void dbpage_counter(struct dbpage *page, enum dbpage_counter counter, int64_t add);

/* A new page is RUNNING. The others are steps of a shutdown, for dbtop --shutdown-test. CLOSING or
 * DONE before dbpage_close() says that the pool has closed its connections. */
enum dbpage_phase {
	DBPAGE_STARTING = 1,
	DBPAGE_RUNNING,
	DBPAGE_STOPPING,   /* no longer lends */
	DBPAGE_FLUSHING,   /* writes what is pending */
	DBPAGE_DRAINING,   /* waits for borrowers */
	DBPAGE_CANCELLING, /* cancels running queries */
	DBPAGE_CLOSING,
	DBPAGE_DONE,
};

DBPAGE_API void dbpage_phase(struct dbpage *page, enum dbpage_phase phase);

/* Writes that the application has accepted and not yet made; DBPAGE_UNKNOWN. */
DBPAGE_API void dbpage_pending(struct dbpage *page, int64_t writes);

/* Removes the file and frees the page; in a child after fork() it leaves the file alone. */
DBPAGE_API void dbpage_close(struct dbpage *page);

#ifdef __cplusplus
}
#endif

#endif
