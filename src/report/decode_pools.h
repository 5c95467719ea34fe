/* Pools, slots, links and waiters of a recording. Values that a snapshot does not contain are not
 * known. */
#ifndef REPORT_DECODE_POOLS_H
#define REPORT_DECODE_POOLS_H

#include <stddef.h>

struct assessment;
struct connection;
struct connection_row;
struct pool_row;
struct waiter_row;

/* Makes room for the pools, and for the consoles of the pools and of the waiters. */
void decode_pools_reserve(struct assessment *assessment, size_t n_pools, size_t n_waiters);

/* The processes must have been added before. */
void decode_pools_add(struct assessment *assessment, const struct pool_row *row);

/* Sets the connection's pool, slot and link; the pools must have been added before. */
void decode_pools_connection(struct assessment *assessment, const struct connection_row *row,
	struct connection *connection);

/* Adds a waiter. There must be room for it. */
void decode_pools_waiter(struct assessment *assessment, const struct waiter_row *row);

#endif
