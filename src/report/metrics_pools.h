/* The metrics of pools and PgBouncers: the functions of rows in the table of metrics.c. */
#ifndef REPORT_METRICS_POOLS_H
#define REPORT_METRICS_POOLS_H

struct metrics_writer;

void metrics_write_pool_connections(const struct metrics_writer *writer);
void metrics_write_pool_max(const struct metrics_writer *writer);
void metrics_write_pool_waiting(const struct metrics_writer *writer);
void metrics_write_pool_timeouts(const struct metrics_writer *writer);
void metrics_write_waits(const struct metrics_writer *writer);
void metrics_write_pending(const struct metrics_writer *writer);
void metrics_write_outbox_waiting(const struct metrics_writer *writer);
void metrics_write_outbox_rejected(const struct metrics_writer *writer);
void metrics_write_bouncer_clients(const struct metrics_writer *writer);
void metrics_write_bouncer_servers(const struct metrics_writer *writer);
void metrics_write_bouncer_wait(const struct metrics_writer *writer);

#endif
