#include "watch/held.h"

#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "loop/pidfd_watch.h"
#include "model/shutdown.h"
#include "proc/process.h"
#include "proc/procfs.h"

/* The largest difference between the server's and our start time of one process. */
#define SAME_START USEC_PER_SEC

struct held {
	struct held_callbacks callbacks;
	struct pidfd_watch *processes, *backends;
	struct procfs *procfs;
};

static void on_process_ended(void *data, uint64_t key, int64_t at)
{
	struct held *held = data;
	held->callbacks.process_ended(held->callbacks.data, (int32_t)key, at);
}

static void on_backend_ended(void *data, uint64_t key, int64_t at)
{
	struct held *held = data;
	held->callbacks.backend_ended(held->callbacks.data, (int32_t)key, at);
}

struct held *held_new(uv_loop_t *loop, const struct held_callbacks *callbacks)
{
	struct held *held = mem_alloc(sizeof(*held));
	const struct pidfd_watch_callbacks processes = { held, on_process_ended };
	const struct pidfd_watch_callbacks backends = { held, on_backend_ended };
	held->callbacks = *callbacks;
	held->processes = pidfd_watch_new(loop, &processes);
	held->backends = pidfd_watch_new(loop, &backends);
	held->procfs = procfs_new("/proc");
	return held;
}

void held_free(struct held *held)
{
	if (!held)
		return;
	pidfd_watch_free(held->processes);
	pidfd_watch_free(held->backends);
	procfs_free(held->procfs);
	free(held);
}

void held_add_process(struct held *held, struct shutdown_process *process)
{
	int fd;
	if (process_hold("/proc", process->pid, process->start_ticks, &fd) == 0)
		process->held = pidfd_watch_add(held->processes, fd, (uint64_t)process->pid) == 0;
}

const char *held_name(
	const struct held *held, const struct shutdown_process *process, struct arena *arena)
{
	struct procfs_stat stat;
	if (procfs_stat(held->procfs, process->pid, &stat) < 0 ||
		stat.start_ticks != process->start_ticks)
		return NULL;
	return text_clean(arena, stat.comm, strnlen(stat.comm, sizeof(stat.comm)), TEXT_LINE);
}

void held_add_backend(struct held *held, const struct shutdown_connection *connection)
{
	struct procfs_stat stat;
	int fd;
	int32_t pid = connection->backend;
	if (!pid || procfs_stat(held->procfs, pid, &stat) < 0)
		return;
	int64_t apart =
		procfs_started_at(held->procfs, stat.start_ticks) - connection->backend_start;
	if (apart > SAME_START || apart < -SAME_START)
		return;
	if (process_hold("/proc", pid, stat.start_ticks, &fd) == 0)
		(void)!pidfd_watch_add(held->backends, fd, (uint64_t)pid);
}

int held_fd(const struct held *held, const struct shutdown_process *process)
{
	return pidfd_watch_fd(held->processes, (uint64_t)process->pid);
}
