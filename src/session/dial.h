/* One round of connection attempts: each address of each host in turn, each with a time limit of
 * its own, until one lets us in.
 *
 * It runs on a thread of its own, because libpq may wait inside of PQconnectPoll() as well: for a
 * name server, for the files with services, passwords and certificates, for Kerberos. Such a wait
 * holds up neither the loop nor dbtop's end. */
#ifndef SESSION_DIAL_H
#define SESSION_DIAL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

#include "model/peers.h"

struct dial;
struct params;

struct dial_result {
	/* Connected, or the failed attempt that says most; NULL when there was none. The receiver's
	 * to finish. */
	PGconn *conn;
	const char *error; /* why not, as failure_read() wants it; NULL when connected */
	unsigned seconds;  /* the time limit of an address, as the user wants it */
	bool verified;     /* the server has proven its name by a certificate */
};

struct dial_callbacks {
	void *data;
	/* Where the attempt under way leads to, as soon as the kernel knows it. May be NULL. */
	void (*located)(void *data, const struct peers_target *where);
	/* Once, in the end: the dial is gone after it. The error's text is, too. */
	void (*done)(void *data, const struct dial_result *result);
};

/* `seconds` is an address's time limit unless connect_timeout says another; 0 and less there are
 * none. Copies the parameters. Never NULL: what cannot be begun is reported by done(). */
struct dial *dial_start(uv_loop_t *loop, const struct params *params, unsigned seconds,
	const struct dial_callbacks *callbacks) __attribute__((returns_nonnull));

/* An address is being tried; no name is being looked up. */
bool dial_is_trying(struct dial *dial);

/* Ends it without done(). NULL is allowed. */
void dial_abandon(struct dial *dial);

#endif
