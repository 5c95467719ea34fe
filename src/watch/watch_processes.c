/* Lists the application's processes, and records how each handles the signal and when it ends. */
#include <signal.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "collect/follow.h"
#include "loop/pidfd_watch.h"
#include "proc/process.h"
#include "proc/procfs.h"
#include "watch/watch_parts.h"

bool watch_owns(const struct watch *watch, int32_t pid, uint64_t start_ticks)
{
	return watch_find_process(watch, pid, start_ticks) != NULL;
}

/* If the process has already ended, the next sample shows that. */
struct shutdown_process *watch_add_process(
	struct watch *watch, int32_t pid, uint64_t start_ticks, int64_t at)
{
	int fd;
	struct shutdown_process *process = shutdown_add_process(&watch->record);
	process->pid = pid;
	process->start_ticks = start_ticks;
	process->command = pid == watch->options.pid;
	process->began_at = at;
	if (process_hold("/proc", pid, start_ticks, &fd) == 0)
		(void)!pidfd_watch_add(watch->processes, fd, (uint64_t)pid);
	return process;
}

static enum shutdown_disposition disposition(const struct procfs_signals *signals, int number)
{
	uint64_t bit = UINT64_C(1) << (number - 1);
	if (signals->ignored & bit)
		return DISPOSITION_IGNORES;
	if (signals->blocked & bit)
		return DISPOSITION_BLOCKS;
	return signals->caught & bit ? DISPOSITION_CATCHES : DISPOSITION_DEFAULT;
}

/* Notes a pending signal of the watched process. This is seldom seen: a process takes a signal
 * within microseconds, unless it is stopped or busy in the kernel. */
static void note_pending_signal(struct watch *watch, const struct follow_process *seen, int64_t at)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!(seen->signals.pending & UINT64_C(1) << (numbers[i] - 1)) ||
			seen->pid != watch->options.pid)
			continue;
		watch->record.signal_number = numbers[i];
		watch_begin(watch, at,
			arena_printf(watch->record.arena, "SIG%s seen",
				shutdown_signal_name(numbers[i])));
		return;
	}
}

/* The disposition is that of the last sample before the signal came. When the signal is no longer
 * pending, the process has taken it. */
static void note_signals(struct watch *watch, struct shutdown_process *process,
	const struct follow_process *seen, int64_t at)
{
	if (!watch->record.signal_number && !watch_has_begun(watch))
		note_pending_signal(watch, seen, at);
	int number = watch->record.signal_number;
	if (!number)
		return;
	if (!watch_has_begun(watch)) {
		process->disposition = disposition(&seen->signals, number);
		return;
	}
	bool pending = seen->signals.pending & UINT64_C(1) << (number - 1);
	if (!pending && process->taken_at == INSTANT_UNKNOWN &&
		process->ended_at == INSTANT_UNKNOWN &&
		process->began_at <= watch->record.signalled_at &&
		(process->disposition == DISPOSITION_CATCHES ||
			process->disposition == DISPOSITION_BLOCKS))
		process->taken_at = at;
}

static void read_process(
	struct watch *watch, const struct follow_process *seen, const struct follow_sample *sample)
{
	struct shutdown_process *process = watch_find_process(watch, seen->pid, seen->start_ticks);
	if (!process)
		process = watch_add_process(watch, seen->pid, seen->start_ticks, sample->began_at);
	/* the name changes when a program is started after the first sample */
	if (!process->name || strcmp(process->name, seen->name) != 0)
		process->name = arena_strdup(watch->record.arena, seen->name);
	if (!watch_has_begun(watch) || sample->began_at > watch->record.signalled_at)
		note_signals(watch, process, seen, sample->taken_at);
}

/* Maps the pids of a sample's processes to their indexes in the sample. */
static struct map *index_sample(const struct follow_sample *sample, struct arena *arena)
{
	struct map *map = map_new(arena, sample->n_processes);
	for (size_t i = 0; i < sample->n_processes; i++)
		map_set(map, (uint64_t)sample->processes[i].pid, (uint32_t)i);
	return map;
}

static bool is_seen(const struct follow_sample *sample, const struct map *by_pid,
	const struct shutdown_process *process)
{
	uint32_t i = map_get(by_pid, (uint64_t)process->pid);
	return i != MAP_NONE && sample->processes[i].start_ticks == process->start_ticks;
}

void watch_read_processes(struct watch *watch, const struct follow_sample *sample)
{
	struct arena *arena = arena_new();
	const struct map *by_pid = index_sample(sample, arena);
	for (size_t i = 0; i < sample->n_processes; i++)
		read_process(watch, &sample->processes[i], sample);
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		struct shutdown_process *process = &watch->record.processes[i];
		if (process->ended_at == INSTANT_UNKNOWN && !is_seen(sample, by_pid, process) &&
			pidfd_watch_fd(watch->processes, (uint64_t)process->pid) < 0)
			process->ended_at = sample->taken_at;
	}
	arena_free(arena);
}

void watch_reaped(struct watch *watch, int32_t pid, int status)
{
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		struct shutdown_process *process = &watch->record.processes[i];
		if (process->pid != pid || process->has_status)
			continue;
		process->has_status = true;
		process->status = status;
	}
}

int watch_process_fd(const struct watch *watch, const struct shutdown_process *process)
{
	return pidfd_watch_fd(watch->processes, (uint64_t)process->pid);
}
