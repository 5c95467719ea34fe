/* A round of connection attempts, for a thread that may block: each address of each host in turn,
 * each with its own time limit, until one succeeds. */
#ifndef SESSION_ROUND_H
#define SESSION_ROUND_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "model/peers.h"
#include "session/params.h"

enum round_step { ROUND_LOOKS_UP, ROUND_TRIES };

struct round_hooks {
	void *data;
	/* Called before each step; false ends the round. */
	bool (*step)(void *data, enum round_step step);
	/* The addresses of the attempt, as soon as they are known. */
	void (*located)(void *data, const struct peers_target *where);
};

/* The caller sets the first four members, and zeroes the rest. */
struct round {
	struct params params; /* in: what the user set; out: all that libpq used */
	unsigned seconds;     /* in: the time limit of each address; out: after connect_timeout */
	const char *const *password_command; /* in: run once, when a server asks for a password that
						`params` does not have; NULL: none */
	int wake; /* the round ends when this descriptor is readable; -1: none */
	struct round_hooks hooks;

	/* The open connection, or the failed attempt with the most useful error; NULL when there
	 * was no attempt. */
	PGconn *conn;
	char *error;   /* for failure_read(); NULL when connected */
	bool verified; /* the server proved its name with a certificate */

	/* private */
	struct peers_target seen;
	char *errors;      /* one for each failed attempt, separated by ", " */
	bool asks_command; /* the passwords of environment and file do not count */
	bool has_asked;
	unsigned failed; /* the number of failed attempts */
};

/* Blocks until the round is over. */
void round_run(struct round *round);

/* Closes the connection, if it is still there, and wipes the parameters. */
void round_clear(struct round *round);

#endif
