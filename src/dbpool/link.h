/* One connection to the server: opening, cleaning, testing, cutting and closing it. */
#ifndef DBPOOL_LINK_H
#define DBPOOL_LINK_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbpool/dbpool.h"

struct pool_link {
	PGconn *conn;
	PGcancel *cancel;
	/* Our own duplicate of conn's socket; −1 for none. libpq closes its descriptor as soon as
	 * the connection breaks, and the kernel may then reuse the number for another file. Nobody
	 * else closes this duplicate, so it is what we shut down and wait on. */
	int own_fd;
	_Atomic int libpq_fd; /* libpq's descriptor number; may belong to another file by now */
	_Atomic bool cut;     /* link_cut() was called: a socket opened later is shut down, too */
	bool resetting;       /* the answer to the reset has not been read */
	bool used;            /* a statement was run since the last reset */
	bool changed;         /* such a statement's command tag shows a change of the session */
	bool replaced;        /* the borrower called PQreset(): it is another session now */
	bool finished;        /* conn was passed to PQfinish() */
	int64_t heard;        /* when the server last answered: monotonic */
	int64_t *last_result; /* of the slot on the stats page; NULL: none yet, or a forked child */
	int backend_pid;
	int64_t backend_start; /* realtime, or PAGE_UNKNOWN */
	char *settings;        /* statements to be run after RESET ALL; "" for none */

	/* only of an orphan: its place in the list, and the lease it belongs to */
	struct pool_link *next;
	int slot;
	uint64_t ticket;
};

/* Called at release: sends a rollback and a reset where needed, without waiting for the answer.
 * Returns false when the link can no longer be used. */
bool link_clean(struct pool_link *link, enum dbpool_reset policy);

/* True when the link is good and needs no cleaning: the common case. */
bool link_is_clean(const struct pool_link *link);

/* Reads the answer to a reset; if `ask`, also sends an empty query and waits for its answer.
 * Returns false when the link is broken or did not answer before the deadline. */
bool link_settle(struct pool_link *link, bool ask, int64_t deadline);

/* Runs one statement. Returns its result, or NULL when there is none before the deadline. */
PGresult *link_exec(struct pool_link *link, const char *sql, int n, const char *const *values,
	int64_t deadline);

/* Cancels the running query, in a thread of its own, and returns at once. */
void link_cancel(struct pool_link *link);

/* Duplicates conn's socket into own_fd; an earlier duplicate is replaced. Returns 0 or a negative
 * errno. */
int link_watch(struct pool_link *link) __attribute__((warn_unused_result));

/* True when the server has ended the session, or the network has failed. Reads nothing, so it may
 * be called while another thread uses conn. */
bool link_has_ended(const struct pool_link *link);

/* Ends the session without using conn, which another thread may use. Returns a descriptor to wait
 * on, or −1. `polite`: no other thread uses the socket now, so a Terminate message may be sent
 * first. */
int link_cut(struct pool_link *link, bool polite);

/* Sends a Terminate message and frees the link. Returns a descriptor that reaches its end when the
 * server's process has ended, or −1. NULL is allowed. */
int link_finish(struct pool_link *link);

/* The same, but returns no descriptor: the session's end is not waited for. */
void link_drop(struct pool_link *link);

/* Frees a link whose session was cut before, or never began. NULL is allowed. */
void link_free(struct pool_link *link);

/* Waits until all sessions behind these descriptors have ended, and closes the descriptors. Returns
 * true if all ended. `shared`: the descriptors are from link_cut(), and the borrower may still read
 * what the server sends; otherwise the rest of the data is read and dropped. */
bool link_wait_ended(int *fds, unsigned n, int64_t deadline, bool shared);

#endif
