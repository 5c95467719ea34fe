/* The pools in the output of --once. */
#ifndef REPORT_SUMMARY_POOLS_H
#define REPORT_SUMMARY_POOLS_H

struct assessment;
struct connection;
struct printer;

/* Prints one line for each pool, for each page that could not be read, and for each process that
 * waits for a connection of PgBouncer. `label` columns are left free for the label. Prints nothing
 * if there are none. */
void summary_pools_put(struct printer *printer, const struct assessment *assessment, int label);

/* What the pool reports about a connection: "held 7m12s at sync.c:212"; nothing if it has no slot
 * in use. */
void summary_pools_put_hold(struct printer *printer, const struct assessment *assessment,
	const struct connection *connection);

#endif
