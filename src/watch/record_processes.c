#include "watch/record_processes.h"

#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "collect/follow.h"
#include "model/shutdown.h"

static bool has(uint64_t signals, int number)
{
	return signals & UINT64_C(1) << (number - 1);
}

static enum shutdown_disposition disposition(const struct procfs_signals *signals, int number)
{
	if (has(signals->ignored, number))
		return DISPOSITION_IGNORES;
	if (has(signals->blocked, number))
		return DISPOSITION_BLOCKS;
	return has(signals->caught, number) ? DISPOSITION_CATCHES : DISPOSITION_DEFAULT;
}

static struct pending_signal find_pending(const struct follow_process *seen)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (has(seen->signals.pending, numbers[i]))
			return (struct pending_signal){ numbers[i],
				disposition(&seen->signals, numbers[i]) == DISPOSITION_DEFAULT };
	return (struct pending_signal){ 0 };
}

/* The disposition is that of the last sample before the signal came. When the signal is no longer
 * pending, the process has taken it. */
static void note_signal(const struct shutdown_record *record, struct shutdown_process *process,
	const struct follow_process *seen, int64_t at)
{
	int number = record->signal_number;
	if (!number || (record->alone && !process->command))
		return;
	if (!shutdown_has_begun(record))
		process->disposition = disposition(&seen->signals, number);
	else if (record->signal_came && !has(seen->signals.pending, number) &&
		process->taken_at == INSTANT_UNKNOWN && process->ended_at == INSTANT_UNKNOWN &&
		process->began_at <= record->signalled_at &&
		(process->disposition == DISPOSITION_CATCHES ||
			process->disposition == DISPOSITION_BLOCKS))
		process->taken_at = at;
}

static struct shutdown_process *find_or_add(struct shutdown_record *record, const struct map *known,
	const struct follow_process *seen, int64_t at)
{
	uint32_t i = map_get(known, shutdown_identity(seen->pid, seen->start_ticks));
	if (i != MAP_NONE)
		return &record->processes[i];
	struct shutdown_process *process = shutdown_add_process(record);
	process->pid = seen->pid;
	process->start_ticks = seen->start_ticks;
	process->began_at = at;
	return process;
}

struct pending_signal record_processes(
	struct shutdown_record *record, const struct follow_sample *sample)
{
	struct pending_signal pending = { 0 };
	struct arena *arena = arena_new();
	const struct map *known = shutdown_index_processes(record, arena);
	struct map *seen = map_new(arena, sample->n_processes);
	/* a sample that began before the signal does not show what the signal did */
	bool timely = !shutdown_has_begun(record) || sample->began_at > record->signalled_at;
	for (size_t i = 0; i < sample->n_processes; i++) {
		const struct follow_process *row = &sample->processes[i];
		struct shutdown_process *process =
			find_or_add(record, known, row, sample->began_at);
		map_set(seen, shutdown_identity(row->pid, row->start_ticks), 0);
		/* the name changes when a program is started after the first sample */
		if (!process->name || strcmp(process->name, row->name) != 0)
			process->name = arena_strdup(record->arena, row->name);
		process->contained = row->contained;
		if (timely)
			note_signal(record, process, row, sample->taken_at);
		if (process->command && !record->signal_number && !shutdown_has_begun(record))
			pending = find_pending(row);
	}
	for (size_t i = 0; i < record->n_processes; i++) {
		struct shutdown_process *process = &record->processes[i];
		if (process->ended_at == INSTANT_UNKNOWN && !process->held &&
			map_get(seen, shutdown_identity(process->pid, process->start_ticks)) ==
				MAP_NONE)
			process->ended_at = sample->taken_at;
	}
	arena_free(arena);
	return pending;
}

void record_process_ended(struct shutdown_record *record, int32_t pid, int64_t at)
{
	for (size_t i = 0; i < record->n_processes; i++) {
		struct shutdown_process *process = &record->processes[i];
		if (process->pid == pid && process->ended_at == INSTANT_UNKNOWN)
			process->ended_at = at;
	}
}

void record_process_reaped(struct shutdown_record *record, int32_t pid, int status)
{
	for (size_t i = 0; i < record->n_processes; i++) {
		struct shutdown_process *process = &record->processes[i];
		if (process->pid != pid || process->has_status)
			continue;
		process->has_status = true;
		process->status = status;
	}
}

void record_forget_processes(struct shutdown_record *record, int64_t since)
{
	size_t kept = 0;
	for (size_t i = 0; i < record->n_processes; i++) {
		const struct shutdown_process *process = &record->processes[i];
		if (process->ended_at == INSTANT_UNKNOWN || process->command ||
			process->ended_at > since)
			record->processes[kept++] = *process;
	}
	record->n_processes = kept;
}
