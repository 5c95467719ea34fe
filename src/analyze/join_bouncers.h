/* The applications behind PgBouncer: which client each backend works for, and which process that
 * is. Pure.
 *
 * Nothing here is of one moment: the rows of pg_stat_activity, PgBouncer's answers and the dump of
 * the sockets follow each other. What is told must be true at the instant of the rows, so each step
 * has its proof:
 *
 *  - backend = server connection: same pid and same client port (over a Unix socket the same port
 *    of the server, role and database), and the backend was there already when PgBouncer was asked.
 *    It stays true as long as the backend lives.
 *  - server connection = client: a link lasts as long as the transaction, in a session pool as the
 *    session. Which one it was when PgBouncer was asked counts only if the rows were asked for
 * after its answer, and the transaction (the idle session) that they show had begun before.
 *  - client = socket: the same four addresses, as PgBouncer and the kernel see them, while
 *    PgBouncer told of the client both before and after the dump. That both see the same addresses,
 *    our own connection to the console proves. */
#ifndef ANALYZE_JOIN_BOUNCERS_H
#define ANALYZE_JOIN_BOUNCERS_H

#include "model/assessment.h"

struct client_processes;

/* Fills bouncer_server, bouncer_client and with them process, matched_by and end of the connections
 * that join_clients() has seen; and the assessment's matches and waiters (without their pool).
 * `previous` may be NULL. */
void join_bouncers(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

#endif
