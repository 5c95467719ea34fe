/* Writes the pools of a snapshot's JSON. */
#ifndef REPORT_SNAPSHOT_POOLS_H
#define REPORT_SNAPSHOT_POOLS_H

struct assessment;
struct connection;
struct encoder;

/* "pools" */
void snapshot_pools_put(struct encoder *encoder, const struct assessment *assessment);

/* "waiting": the clients that wait for a connection of PgBouncer. */
void snapshot_pools_put_waiting(struct encoder *encoder, const struct assessment *assessment);

/* "pool" and "pgbouncer" of a connection. */
void snapshot_pools_put_connection(struct encoder *encoder, const struct assessment *assessment,
	const struct connection *connection);

#endif
