/* Counters that only grow, for the metrics of one server: what pools have counted, by their names,
 * and the outcome of the guard's actions.
 *
 * A pool of one name may run in several processes, whose counts are added up. What a process had
 * counted stays in the sum when it has ended. */
#ifndef REPORT_METRICS_COUNTERS_H
#define REPORT_METRICS_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/action.h"
#include "model/pool.h"

struct assessment;
struct metrics_counters;

/* The number of pools that have a label of their own; the others share one. */
#define METRICS_POOLS_MAX 100
#define METRICS_OTHER     "other"

struct pool_counts {
	char *name;
	uint64_t timeouts, rejected;
	bool has_outbox; /* `rejected` is known */
	uint64_t wait[POOL_WAIT_BUCKETS];
	uint64_t waited; /* microseconds */
};

/* Never NULL. */
struct metrics_counters *metrics_counters_new(void);

/* NULL is allowed. */
void metrics_counters_free(struct metrics_counters *counters);

/* Takes what the pools of a new assessment have counted since the one before. */
void metrics_counters_update(
	struct metrics_counters *counters, const struct assessment *assessment);

/* A session of an action of the guard has this result. */
void metrics_counters_note(struct metrics_counters *counters, enum action_result result);

/* How many sessions had this result. */
uint64_t metrics_counters_results(
	const struct metrics_counters *counters, enum action_result result);

/* By the order in which the names were first seen. */
const struct pool_counts *metrics_counters_pools(
	const struct metrics_counters *counters, size_t *ret_count);

/* The name under which the pool is counted: its own, or METRICS_OTHER. */
const char *metrics_counters_name(const struct metrics_counters *counters, const char *name);

#endif
