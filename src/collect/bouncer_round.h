/* One round of SHOW answers of one PgBouncer, put together into a struct bouncer. Pure but for the
 * allocations: the answers and the clock come from outside.
 *
 * The answers are not of one moment, and a link between a client and a server lasts microseconds.
 * SHOW SERVERS tells the server's side of all links at one instant; the clients are asked for
 * before and after it. A link counts when all three name it and the client is the same session in
 * both: then it stood at that instant, between exactly these two. */
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

/* When each client was seen first: kept from round to round. Never NULL. */
struct bouncer_sightings *bouncer_sightings_new(void) __attribute__((returns_nonnull));
/* NULL is allowed. */
void bouncer_sightings_free(struct bouncer_sightings *sightings);

/* The questions of a round, in their order. */
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

/* "SHOW POOLS" */
const char *bouncer_question_sql(enum bouncer_question question);

/* The ends of our own connection, and our pid: our own row among the clients tells whether
 * PgBouncer sees addresses as we do. Never NULL. */
struct bouncer_round *bouncer_round_new(const struct endpoint *own, const struct endpoint *address,
	int32_t own_pid) __attribute__((returns_nonnull));
/* NULL is allowed. */
void bouncer_round_free(struct bouncer_round *round);

/* Takes the next question's answer, which was asked for at `sent_at` (our wall clock). False when
 * it is not what PgBouncer answers to that: the round is worth nothing then. */
bool bouncer_round_take(struct bouncer_round *round, const PGresult *result, int64_t sent_at)
	__attribute__((warn_unused_result));

/* After the last answer, which came at `now` (our wall clock): the block, the caller's, but for its
 * name, port and uid. Renews the sightings. */
struct bouncer *bouncer_round_finish(
	struct bouncer_round *round, struct bouncer_sightings *sightings, int64_t now);

#endif
