#include "watch/record_phases.h"

#include <string.h>

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

static void note_count(struct shutdown_writes *writes, int64_t count, int64_t now)
{
	if (count < 0)
		return;
	if (count > writes->first)
		writes->first = count;
	writes->last = count;
	if (count == 0 && writes->first > 0 && writes->drained_at == INSTANT_UNKNOWN)
		writes->drained_at = now;
}

static void note_writes(
	struct shutdown_phase *phase, const struct pool_reading *reading, int64_t now)
{
	note_count(&phase->pending, reading->pending, now);
	note_count(&phase->outbox, reading->outbox, now);
}

static void note_pool(struct shutdown_record *record, const struct pool_reading *reading)
{
	struct shutdown_pool *pool = NULL;
	for (size_t i = 0; i < record->n_pools; i++)
		if (record->pools[i].page == reading->page)
			pool = &record->pools[i];
	if (!pool)
		pool = shutdown_add_pool(record);
	pool->pid = reading->pid;
	pool->page = reading->page;
	pool->pending = reading->pending;
	pool->outbox = reading->outbox;
}

/* The hooks of a page are recorded in their order. */
static struct shutdown_hook *find_hook(struct shutdown_record *record, uint32_t page, size_t number)
{
	for (size_t i = 0; i < record->n_hooks; i++)
		if (record->hooks[i].page == page && number-- == 0)
			return &record->hooks[i];
	return shutdown_add_hook(record);
}

static void note_hooks(
	struct shutdown_record *record, const struct pool_reading *reading, int64_t now)
{
	for (size_t i = 0; i < reading->n_hooks; i++) {
		const struct pool_hook *from = &reading->hooks[i];
		struct shutdown_hook *hook = find_hook(record, reading->page, i);
		hook->pid = reading->pid;
		hook->page = reading->page;
		memcpy(hook->name, from->name, sizeof(hook->name));
		hook->phase = pool_hook_phase_name(from->phase);
		hook->state = pool_hook_state_name(from->state);
		hook->is_flush = from->phase == POOL_HOOK_FLUSH;
		hook->has_failed = from->state == POOL_HOOK_FAILED;
		hook->result = from->result;
		hook->duration = from->duration;
		/* what is first seen together with its phase ended after that began */
		bool is_later = reading->is_new_phase && reading->runs_hooks[from->phase];
		if (from->duration >= 0 && hook->ended_at == INSTANT_UNKNOWN)
			hook->ended_at = now + is_later;
	}
}

void record_phases(struct shutdown_record *record, const struct pool_phases *pools,
	const struct pool_reading *readings, size_t n_readings, int64_t now)
{
	for (size_t i = 0; i < record->n_processes; i++)
		record->processes[i].closed_its_pools =
			pool_phases_are_over(pools, record->processes[i].pid);
	/* pools that ended before the shutdown are not part of it */
	if (!shutdown_has_begun(record))
		record->n_pools = record->n_hooks = 0;
	for (size_t i = 0; i < n_readings; i++) {
		const struct pool_reading *reading = &readings[i];
		struct shutdown_phase *phase = last_phase(record, reading->page);
		bool first = !phase;
		note_pool(record, reading);
		note_hooks(record, reading, now);
		if (phase)
			note_writes(phase, reading, now);
		if (!reading->is_new_phase)
			continue;
		phase = shutdown_add_phase(record);
		phase->pid = reading->pid;
		phase->page = reading->page;
		phase->name = arena_strdup(record->arena, reading->phase);
		phase->began_at = now;
		/* some may have been written since the reading before the first phase */
		if (first && reading->pending_before > 0)
			phase->pending.first = reading->pending_before;
		if (first && reading->outbox_before > 0)
			phase->outbox.first = reading->outbox_before;
		note_writes(phase, reading, now);
	}
}
