/* The pools in the report of --once. */
#ifndef REPORT_SUMMARY_POOLS_H
#define REPORT_SUMMARY_POOLS_H

struct assessment;
struct connection;
struct printer;

/* A line for each pool, for each page that could not be read, and for each process that waits for a
 * connection of PgBouncer; `label` columns are left free for the label. Nothing without any. */
void summary_pools_put(struct printer *printer, const struct assessment *assessment, int label);

/* What its pool says of a connection: "held 7m12s at sync.c:212"; nothing without a
 * slot in use. */
void summary_pools_put_hold(struct printer *printer, const struct assessment *assessment,
	const struct connection *connection);

#endif
