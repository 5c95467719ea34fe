/* Reads PgBouncer's databases and pools. */
#ifndef COLLECT_BOUNCER_POOLS_H
#define COLLECT_BOUNCER_POOLS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct bouncer_database;
struct bouncer_round;
struct console_table;

/* Each reads the answer to one question; false if it is not PgBouncer's answer to that question. */
bool bouncer_pools_read_databases(struct bouncer_round *round, const PGresult *result);
bool bouncer_pools_read_stats(struct bouncer_round *round, const PGresult *result);
bool bouncer_pools_read_pools(struct bouncer_round *round, const PGresult *result);
bool bouncer_pools_read_lists(struct bouncer_round *round, const PGresult *result);

/* The database named in a cell, or NULL. */
struct bouncer_database *bouncer_pools_database(
	const struct bouncer_round *round, const struct console_table *table, int row, size_t name);

#endif
