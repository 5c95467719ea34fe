/* A round of connection attempts, for a thread that may wait: each address of each host in turn,
 * each with a time limit of its own, until one lets us in. */
#ifndef SESSION_ROUND_H
#define SESSION_ROUND_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "model/peers.h"
#include "session/params.h"

enum round_step { ROUND_LOOKS_UP, ROUND_TRIES };

struct round_hooks {
	void *data;
	/* What is done next; false: nothing more, the round ends. */
	bool (*step)(void *data, enum round_step step);
	/* Where the attempt leads to, as soon as the kernel knows it. */
	void (*located)(void *data, const struct peers_target *where);
};

/* Set up by the caller, {0} for the rest. */
struct round {
	struct params params; /* what is wanted; in the end all that libpq used */
	unsigned seconds;     /* an address's time limit, unless connect_timeout says another */
	int wake;             /* a descriptor that ends the attempt when it is readable; or -1 */
	struct round_hooks hooks;

	/* The outcome: connected, or the failed attempt that says most; NULL when there was none.
	 */
	PGconn *conn;
	char *error;   /* why not, as failure_read() wants it; NULL when connected */
	bool verified; /* the server has proven its name by a certificate */

	/* the round's own */
	struct peers_target seen;
	char *errors;    /* of the attempts that failed, with ", " between */
	unsigned failed; /* how many */
};

/* Waits, for as long as the attempts take. */
void round_run(struct round *round);

/* Closes the connection, unless it was taken out, and wipes the parameters. */
void round_clear(struct round *round);

#endif
