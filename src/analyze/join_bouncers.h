/* The applications behind PgBouncer: which client each backend works for, and the process of that
 * client. Pure.
 *
 * The sources are read one after the other, not at one instant: the rows of pg_stat_activity,
 * PgBouncer's answers, and the dump of the sockets. The result must be true when the rows were
 * taken, so each step needs a proof:
 *
 *  - backend = server connection: same pid and same client port (over a Unix socket the same port
 *    of the server, role and database), and the backend existed before PgBouncer was asked. This is
 *    true as long as the backend lives.
 *  - server connection = client: a link lasts as long as the transaction, in a session pool as long
 *    as the session. The link that PgBouncer reported counts only if the rows were asked for after
 *    its answer, and if the transaction (or the idle session) that they show had begun before it.
 *  - client = socket: the same two addresses and ports, as PgBouncer and the kernel see them, and
 *    PgBouncer reported the client both before and after the dump. Our own connection to the
 *    console proves that both see the same addresses. */
#ifndef ANALYZE_JOIN_BOUNCERS_H
#define ANALYZE_JOIN_BOUNCERS_H

#include "model/assessment.h"

struct client_processes;

/* Sets bouncer_server, bouncer_client, process, matched_by and end of the connections, after
 * join_clients(). Also sets the assessment's matches and waiters (without their pool). `previous`
 * may be NULL. */
void join_bouncers(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

#endif
