/* The pools' part of the snapshot's JSON. */
#ifndef REPORT_SNAPSHOT_POOLS_H
#define REPORT_SNAPSHOT_POOLS_H

struct assessment;
struct connection;
struct encoder;

/* "pools" */
void snapshot_pools_put(struct encoder *encoder, const struct assessment *assessment);

/* "waiting": who waits for a connection of PgBouncer. */
void snapshot_pools_put_waiting(struct encoder *encoder, const struct assessment *assessment);

/* A connection's "pool" and "pgbouncer". */
void snapshot_pools_put_connection(struct encoder *encoder, const struct assessment *assessment,
	const struct connection *connection);

#endif
