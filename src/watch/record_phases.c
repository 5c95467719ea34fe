#include "watch/record_phases.h"

#include "base/arena.h"
#include "base/instant.h"
#include "model/shutdown.h"
#include "watch/pool_phases.h"

static struct shutdown_phase *last_phase(const struct shutdown_record *record, uint32_t page)
{
	for (size_t i = record->n_phases; i-- > 0;)
		if (record->phases[i].page == page)
			return &record->phases[i];
	return NULL;
}

static void note_writes(struct shutdown_phase *phase, int64_t pending, int64_t now)
{
	if (pending < 0)
		return;
	if (pending > phase->writes_first)
		phase->writes_first = pending;
	phase->writes_last = pending;
	if (pending == 0 && phase->writes_first > 0 && phase->drained_at == INSTANT_UNKNOWN)
		phase->drained_at = now;
}

void record_phases(struct shutdown_record *record, const struct pool_phases *pools,
	const struct pool_reading *readings, size_t n_readings, int64_t now)
{
	for (size_t i = 0; i < record->n_processes; i++)
		record->processes[i].closed_its_pools =
			pool_phases_are_over(pools, record->processes[i].pid);
	for (size_t i = 0; i < n_readings; i++) {
		const struct pool_reading *reading = &readings[i];
		struct shutdown_phase *phase = last_phase(record, reading->page);
		bool first = !phase;
		if (phase)
			note_writes(phase, reading->pending, now);
		if (!reading->is_new_phase)
			continue;
		phase = shutdown_add_phase(record);
		phase->pid = reading->pid;
		phase->page = reading->page;
		phase->name = arena_strdup(record->arena, reading->phase);
		phase->began_at = now;
		/* some may have been written since the reading before the first phase */
		if (first && reading->pending_before > 0)
			phase->writes_first = reading->pending_before;
		note_writes(phase, reading->pending, now);
	}
}
