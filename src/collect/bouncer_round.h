/* Combines the SHOW answers of one round of one PgBouncer into a struct bouncer. No side effects
 * except allocations: the caller passes the answers and the time.
 *
 * The answers are not of the same moment, and a link between a client and a server may last only
 * microseconds. SHOW SERVERS shows the server's side of all links at one instant; SHOW CLIENTS is
 * asked before and after it. A link counts if all three answers show it and the client is the same
 * session in both answers: then the link existed at that instant, between exactly these two. */
#ifndef COLLECT_BOUNCER_ROUND_H
#define COLLECT_BOUNCER_ROUND_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct bouncer;
struct bouncer_round;
struct bouncer_sightings;

/* When each client was seen first; kept from round to round. Never NULL. */
struct bouncer_sightings *bouncer_sightings_new(void) __attribute__((returns_nonnull));
/* NULL is allowed. */
void bouncer_sightings_free(struct bouncer_sightings *sightings);

/* The questions of a round, in the order in which they are asked. */
enum bouncer_question {
	BOUNCER_DATABASES,
	BOUNCER_STATS,
	BOUNCER_POOLS,
	BOUNCER_LISTS,
	BOUNCER_CLIENTS_BEFORE,
	BOUNCER_SERVERS,
	BOUNCER_CLIENTS_AFTER,
};
#define BOUNCER_QUESTIONS (BOUNCER_CLIENTS_AFTER + 1)

/* For example "SHOW POOLS". */
const char *bouncer_question_sql(enum bouncer_question question);

/* Takes the two ends of dbtop's own connection, and its pid: dbtop's own row among the clients
 * shows whether PgBouncer sees the same addresses as dbtop does. Never NULL. */
struct bouncer_round *bouncer_round_new(const struct endpoint *own, const struct endpoint *address,
	int32_t own_pid) __attribute__((returns_nonnull));
/* NULL is allowed. */
void bouncer_round_free(struct bouncer_round *round);

/* Reads the answer to the next question, which was sent at `sent_at` (monotonic). False if it
 * is not an answer of PgBouncer to that question: then the round is useless. */
bool bouncer_round_take(struct bouncer_round *round, const PGresult *result, int64_t sent_at)
	__attribute__((warn_unused_result));

/* Call it after the last answer, which came at `now` (monotonic). Returns the block, which the
 * caller owns, without its name, port, uid and taken_at. Updates the sightings. */
struct bouncer *bouncer_round_finish(
	struct bouncer_round *round, struct bouncer_sightings *sightings, int64_t now);

#endif
