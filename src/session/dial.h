/* One round of connection attempts: each address of each host in turn, each with its own time
 * limit, until one succeeds.
 *
 * It runs in its own thread, so that it does not delay the loop. libpq may block, also in
 * PQconnectPoll(): on a name server, on the files with services, passwords and certificates, on
 * Kerberos, or in a computation whose length the server chooses (SCRAM's iterations). */
#ifndef SESSION_DIAL_H
#define SESSION_DIAL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

#include "model/peers.h"

struct dial;
struct params;

struct dial_result {
	/* The open connection, or the failed attempt with the most useful error; NULL when there
	 * was no attempt. The receiver calls PQfinish(). */
	PGconn *conn;
	const char *error; /* for failure_read(); NULL when connected */
	unsigned seconds;  /* the time limit of each address */
	bool verified;     /* the server proved its name with a certificate */
};

struct dial_callbacks {
	void *data;
	/* The addresses of the current attempt, as soon as they are known. May be NULL. */
	void (*located)(void *data, const struct peers_target *where);
	/* Called once, at the end. After it the dial and the text of the error are freed. */
	void (*done)(void *data, const struct dial_result *result);
};

/* `seconds` is the time limit of each address, unless connect_timeout is above 0. Copies the
 * parameters. Never NULL: if no thread can be started, done() reports that. */
struct dial *dial_start(uv_loop_t *loop, const struct params *params, unsigned seconds,
	const struct dial_callbacks *callbacks) __attribute__((returns_nonnull));

/* The same with a command that prints the password, run when a server asks for one. Its argv, which
 * ends with NULL, is copied; NULL: none. */
struct dial *dial_start_asking(uv_loop_t *loop, const struct params *params, unsigned seconds,
	const char *const *command, const struct dial_callbacks *callbacks)
	__attribute__((returns_nonnull));

/* True while an address is being tried, not while a name is being looked up. */
bool dial_is_trying(struct dial *dial);

/* Ends the dial without calling done(), and returns at once. NULL is allowed.
 *
 * The loop keeps a handle until the thread has ended, and runs until then unless the thread is
 * looking a name up. While the handle exists (uv_loop_close() returns UV_EBUSY), the thread may be
 * inside libpq or OpenSSL. The process must then not call exit(), in which OpenSSL frees its
 * tables. */
void dial_abandon(struct dial *dial);

#endif
