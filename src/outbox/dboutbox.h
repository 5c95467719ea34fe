/* libdboutbox: a durable queue of writes to PostgreSQL.
 *
 *     struct dboutbox_config config = { .size = sizeof(config), .path = "/var/lib/app/outbox",
 *         .pool = dbpool_default() };
 *     int error;
 *     struct dboutbox *outbox = dboutbox_open(&config, &error);
 *     …
 *     const char *params[] = { "42", "paid" };
 *     struct dboutbox_statement statement = {
 *         .sql = "UPDATE orders SET state = $2 WHERE id = $1", .n_params = 2, .params = params };
 *     int r = dboutbox_write(outbox, &statement);   // 0: it is on the disk, and will be sent
 *
 * A write is stored in a local SQLite file. A thread sends the writes to the server, in order and
 * each exactly once, over a pool of libdbpool. The application goes on while the server is full,
 * slow or away, and what is left when it ends is sent after its next start.
 *
 * Functions that can fail return 0 (DBOUTBOX_OK), a positive dboutbox_result, or a negative errno
 * (-ENOMEM, -EINVAL, -EAGAIN when no thread can be started). They never end the process. After a
 * failure dboutbox_error() returns a description. All may be called in any thread; none may be
 * called from a signal handler. */
#ifndef DBOUTBOX_H
#define DBOUTBOX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DBOUTBOX_API     __attribute__((visibility("default")))
#define DBOUTBOX_CHECKED __attribute__((warn_unused_result))
#else
#define DBOUTBOX_API
#define DBOUTBOX_CHECKED
#endif

/* In the configuration, 0 means a setting's default; this value means none, never or off. */
#define DBOUTBOX_OFF (-1)

struct dbpool;
struct dboutbox;

enum dboutbox_result {
	DBOUTBOX_OK,
	DBOUTBOX_FULL,      /* max_writes or max_bytes is reached: nothing was written */
	DBOUTBOX_STATEMENT, /* an outbox cannot carry this statement: COMMIT, COPY, SET, … */
	DBOUTBOX_BUSY,      /* the file is open already, in this process or another one */
	DBOUTBOX_NO_SPACE,  /* the disk is full: nothing was written */
	DBOUTBOX_DAMAGED,   /* the file is not an outbox, or cannot be read any more */
	DBOUTBOX_LAYOUT,    /* a later version of this library made the file */
	DBOUTBOX_IO,        /* the file cannot be opened, read or written */
	DBOUTBOX_DIVERGED, /* the server applied more of this outbox than the file has: the file was
			      replaced by an older copy, or a copy of it is in use */
	DBOUTBOX_STOPPED,  /* a write was rejected, and stop_on_reject is set */
	DBOUTBOX_FORKED,   /* the outbox belongs to the parent process: this is a forked child */
};

/* A result's text for logs: "full", "file in use", … Never NULL. */
DBOUTBOX_API const char *dboutbox_result_name(int result);

/* Describes the last failure in this thread, without a line break at the end. Returns "" when no
 * call has failed. Valid until the next call in this thread. */
DBOUTBOX_API const char *dboutbox_error(void);

/* --- configuration --- */

/* What is on the disk when dboutbox_write() returns. */
enum dboutbox_fsync {
	DBOUTBOX_FSYNC_FULL,   /* the write: it survives a power loss */
	DBOUTBOX_FSYNC_NORMAL, /* the write survives the end of the process, but a power loss may
				  take the last writes that were not sent yet */
};

enum dboutbox_event_kind {
	DBOUTBOX_EVENT_WAITING, /* the server is away or busy: writes are sent again later. Reported
				   when the reason changes */
	DBOUTBOX_EVENT_HELD, /* a table, a right or the database is missing: writes are sent again
				until someone mends it. Reported when the reason changes */
	DBOUTBOX_EVENT_SENDING,  /* writes are sent, after one of the two */
	DBOUTBOX_EVENT_REJECTED, /* the server refused a write for good: it is in table `rejected`
				  */
	DBOUTBOX_EVENT_RESENT,   /* the server lost writes that it had confirmed: sent again */
	DBOUTBOX_EVENT_GAP,      /* the same, but they are no longer kept: see keep_ms */
	DBOUTBOX_EVENT_STOPPED,  /* DBOUTBOX_DIVERGED, DBOUTBOX_STOPPED or DBOUTBOX_DAMAGED */
};

/* Strings are valid during the call only. */
struct dboutbox_event {
	enum dboutbox_event_kind kind;
	const char *text;     /* the whole event in one line, for people */
	const char *sqlstate; /* the server's, or "" */
	int64_t count;        /* of writes, where the event is about some; else 0 */
};

/* Called in the outbox's thread, or in the one that runs the pool's shutdown. It may write to the
 * outbox, but neither flush nor close it. */
typedef void dboutbox_log_fn(void *data, const struct dboutbox_event *event);

/* Zero it, set `size`, then set the fields that shall differ from their default. Strings are
 * copied. Later versions append fields. */
struct dboutbox_config {
	size_t size;      /* sizeof(struct dboutbox_config), as the program was compiled */
	const char *path; /* the file; created with mode 0600. Beside it are PATH-wal, PATH-shm and
			     PATH-lock */
	struct dbpool *pool; /* its calls must stay allowed until dboutbox_close() has returned.
				NULL: writes are stored and not sent, until the file is opened with
				a pool */
	int64_t max_writes;  /* 1,000,000, those that are kept included */
	int64_t max_bytes;   /* 1 GiB, likewise */
	int keep_ms; /* 3,600,000: sent writes are kept for this long, in case the server loses them
			(a failover, a restored backup). DBOUTBOX_OFF: not at all */
	int batch;   /* 100: the most writes of one transaction */
	int flush_ms; /* 5,000: the most time for sending in the pool's shutdown and in
			 dboutbox_close(); DBOUTBOX_OFF: none */
	enum dboutbox_fsync fsync;
	int stop_on_reject;   /* 1: stops instead of going on behind a rejected write */
	int quiet;            /* 1: no events on stderr when there is no log function */
	dboutbox_log_fn *log; /* called for each event; NULL: events are printed to stderr */
	void *log_data;
};

/* --- life --- */

/* Opens the file, or creates it, and starts the thread that sends. Adds a flush hook to the pool.
 * Returns NULL on failure, with the result in *ret_error; that pointer may be NULL. */
DBOUTBOX_API struct dboutbox *dboutbox_open(
	const struct dboutbox_config *config, int *ret_error) DBOUTBOX_CHECKED;

/* Sends for flush_ms at most, as long as the server answers, then closes. What is left stays in the
 * file. No other thread may use the outbox any more. NULL is allowed. In a forked child it does
 * nothing. */
DBOUTBOX_API void dboutbox_close(struct dboutbox *outbox);

/* --- writing --- */

/* One statement. SQL and parameters are text in the encoding of the pool's connections; a NULL
 * parameter is SQL's NULL. Rows that the statement returns are dropped. Functions such as now() and
 * nextval() are evaluated when it is sent. */
struct dboutbox_statement {
	const char *sql;
	int n_params;
	const char *const *params;
};

/* Stores the statement. When it returns DBOUTBOX_OK, the write is durable as `fsync` says, and will
 * be sent. */
DBOUTBOX_API int dboutbox_write(
	struct dboutbox *outbox, const struct dboutbox_statement *statement) DBOUTBOX_CHECKED;

/* Stores several statements as one write: all or none are stored, and all or none are applied. */
DBOUTBOX_API int dboutbox_write_many(struct dboutbox *outbox,
	const struct dboutbox_statement *statements, size_t count) DBOUTBOX_CHECKED;

/* Waits until all writes that are pending now were sent or rejected, and returns how many of them
 * are left after timeout_ms at most (DBOUTBOX_OFF: no limit). Negative: -DBOUTBOX_FORKED, or
 * -EINVAL. Without a pool, and when the pool is shut down, it does not wait. */
DBOUTBOX_API int dboutbox_flush(struct dboutbox *outbox, int timeout_ms);

/* --- statistics --- */

enum dboutbox_state {
	DBOUTBOX_LOCAL, /* no pool: writes are stored only */
	DBOUTBOX_IDLE,  /* everything is sent */
	DBOUTBOX_SENDING,
	DBOUTBOX_WAITING, /* for the server, or for a connection */
	DBOUTBOX_HELD,    /* until someone mends what last_error says */
	DBOUTBOX_ENDED,   /* stopped for good: see last_error */
};

/* A state's text: "idle", "sending", … Never NULL. */
DBOUTBOX_API const char *dboutbox_state_name(enum dboutbox_state state);

struct dboutbox_stats {
	enum dboutbox_state state;
	int64_t pending; /* writes that wait */
	int64_t pending_bytes;
	int64_t kept;     /* writes that were sent and are kept */
	int64_t rejected; /* in the file */
	int64_t oldest;   /* microseconds since 1970: when the oldest pending write was stored; 0:
			     none */
	int64_t sent;     /* writes, since it was opened */
	int64_t gap;      /* writes that the server lost when they were no longer kept */
	double rate;      /* writes sent in a second, over the last ten seconds */
	char last_error[512]; /* why the state is what it is; "" when there is no reason */
};

/* `size` is sizeof(struct dboutbox_stats), as the program was compiled. */
DBOUTBOX_API void dboutbox_stats(
	struct dboutbox *outbox, struct dboutbox_stats *ret_stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
