/* The rows of metrics that have a limited number: processes and pools of one name added up. */
#ifndef REPORT_METRICS_ROWS_H
#define REPORT_METRICS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct assessment;
struct metrics_counters;

/* Processes with the same labels, which are never NULL. */
struct process_sum {
	const char *name, *user, *unit, *container, *host;
	uint64_t connections;
};

/* Pools of libdbpool with the same name. */
struct pool_sum {
	const char *name;
	int64_t used, idle, max, waiting;
	int64_t pending, outbox_waiting;
	bool has_pending, has_outbox;
};

/* Pools of PgBouncers with the same name. −1: not known. */
struct bouncer_sum {
	const char *name;
	int64_t clients_active, clients_waiting, servers_active, servers_idle, servers_other;
	int64_t max_wait; /* µs */
};

struct metrics_rows {
	struct process_sum *processes; /* the largest first, the rest as METRICS_OTHER */
	size_t n_processes;
	struct pool_sum *pools;
	size_t n_pools;
	struct bouncer_sum *bouncers;
	size_t n_bouncers;
};

/* `processes`: so many are shown by name. In the arena. */
struct metrics_rows metrics_rows_make(struct arena *arena, const struct assessment *assessment,
	const struct metrics_counters *counters, int processes);

#endif
