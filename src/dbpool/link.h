/* One connection to the server: how it is opened, cleaned, asked, cut and closed. */
#ifndef DBPOOL_LINK_H
#define DBPOOL_LINK_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbpool/dbpool.h"

struct config;

struct link {
	PGconn *conn;
	PGcancel *cancel;
	/* Our own duplicate of conn's socket; −1 for none. libpq closes its descriptor as soon as
	 * the connection breaks, and the kernel gives the number to somebody else. Nobody else can
	 * get this one: it is what we shut down and wait on. */
	int own_fd;
	_Atomic int libpq_fd; /* the number libpq had; it may be somebody else's by now */
	_Atomic bool cut;     /* link_cut() was called: a new socket is shut down as well */
	bool resetting;       /* the answer to the reset has not been read */
	bool used;            /* a statement was run since the last reset */
	bool told;            /* … whose command tag tells of a change */
	bool strange;         /* the borrower reset or finished it */
	bool finished;        /* conn is gone */
	int64_t heard;        /* when the server last answered us: monotonic */
	int backend_pid;
	int64_t backend_start; /* realtime, or PAGE_UNKNOWN */
	char *settings;        /* what RESET ALL undoes, to be set again; "" */

	/* an orphan's */
	struct link *next;
	int slot;
	uint64_t ticket;
};

/* Opens it, sets the session up and asks for backend_start. `slot` counts from 1. abort_fd: gives
 * up when readable. Returns DBPOOL_OK, DBPOOL_UNREACHABLE, DBPOOL_FULL, DBPOOL_REFUSED, -ENOMEM or
 * -EMFILE, with libpq's words in error. */
int link_open(const struct config *config, int slot, int abort_fd, struct link **ret_link,
	char *error, size_t size) __attribute__((warn_unused_result));

/* What a release does: rolls back and resets what is needed, without waiting. False when the link
 * is no longer good. */
bool link_clean(struct link *link, enum dbpool_reset policy);

/* Whether nothing needs to be cleaned, and the link is good: the common case. */
bool link_is_clean(const struct link *link);

/* Reads what is outstanding; if `ask`, also sends an empty statement and waits for its answer.
 * False when the link is broken or did not answer until the deadline. */
bool link_settle(struct link *link, bool ask, int64_t deadline);

/* Runs one statement: NULL when it brings none until the deadline. */
PGresult *link_exec(
	struct link *link, const char *sql, int n, const char *const *values, int64_t deadline);

/* Cancels what runs, in a thread of its own; nothing is waited for. */
void link_cancel(struct link *link);

/* Makes a duplicate of conn's socket, in place of the one of an earlier socket. 0 or a negative
 * errno. */
int link_watch(struct link *link) __attribute__((warn_unused_result));

/* Ends the session without touching conn, which somebody else uses: a descriptor to wait on, or
 * −1. `polite`: nobody uses it right now, so that a goodbye may be said. */
int link_cut(struct link *link, bool polite);

/* Says goodbye and frees: a descriptor that ends when the server's process has, or −1. NULL is
 * allowed. */
int link_finish(struct link *link);

/* The same, and the end is not waited for. */
void link_drop(struct link *link);

/* Frees; the session was cut before, or never began. */
void link_free(struct link *link);

/* Waits until all ended; true if so. Closes them. `shared`: of link_cut(), whose borrower may read
 * what the server sends; else what still comes is read and dropped. */
bool link_wait_ended(int *fds, unsigned n, int64_t deadline, bool shared);

#endif
