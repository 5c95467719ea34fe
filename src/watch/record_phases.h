/* What the application's stats pages show of its shutdown, in the record. */
#ifndef WATCH_RECORD_PHASES_H
#define WATCH_RECORD_PHASES_H

#include <stddef.h>
#include <stdint.h>

struct pool_phases;
struct pool_reading;
struct shutdown_record;

/* Notes the pending writes in the current phase of each pool, the phases that have begun, the
 * results of the hooks, and which
 * processes have closed their pools. */
void record_phases(struct shutdown_record *record, const struct pool_phases *pools,
	const struct pool_reading *readings, size_t n_readings, int64_t now);

#endif
