/* Reads PgBouncer's clients, its servers and the links between them. */
#ifndef COLLECT_BOUNCER_LINKS_H
#define COLLECT_BOUNCER_LINKS_H

#include <libpq-fe.h>
#include <stdbool.h>

struct bouncer_round;

/* Each reads one answer; false if it is not PgBouncer's answer to that question. The answer about
 * servers comes between two about clients: a link counts if all three show it. */
bool bouncer_links_read_before(struct bouncer_round *round, const PGresult *result);
bool bouncer_links_read_servers(struct bouncer_round *round, const PGresult *result);
bool bouncer_links_read_after(struct bouncer_round *round, const PGresult *result);

#endif
