/* Sockets to the server that have no session: their clients have not logged in yet. PostgreSQL
 * before version 18 shows nothing of them, although most hold a slot. */
#ifndef ANALYZE_LOGINS_H
#define ANALYZE_LOGINS_H

#include <stdbool.h>

struct assessment;
struct client_processes;

/* Fills in the assessment's logins and sessionless. `previous` may be NULL. */
void logins_join(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

/* Corrects the slots, after the sessions were counted. */
void logins_count(struct assessment *assessment);

/* True if a socket of the first dump is still undecided: another dump decides it. */
bool logins_are_pending(const struct assessment *assessment);

/* True if another dump would decide one of the sockets. */
bool logins_need_dump(const struct assessment *assessment);

#endif
