/* One entry a process, its pidfd watched by the loop; one timer for all deadlines. */
#include "action/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "loop/pidfd_watch.h"
#include "model/action.h"
#include "proc/process.h"
#include "proc/procfs.h"

#define TICK_MS 20

struct entry {
	struct entry *next;
	struct stopper *stopper;
	struct action *action;
	struct action_step *step;
	int fd; /* owned by the watch of pidfds, whose key is the entry's address; −1: none */
	int64_t began_at, deadline; /* monotonic */
};

struct stopper {
	struct step_callbacks callbacks;
	char *proc_root;
	uv_timer_t *timer;
	struct pidfd_watch *pidfds;
	struct entry *entries; /* those without a result */
};

static void on_tick(uv_timer_t *timer);
static void on_ended(void *data, uint64_t key, int64_t at);

struct stopper *stop_new(
	uv_loop_t *loop, const char *proc_root, const struct step_callbacks *callbacks)
{
	struct stopper *stopper = mem_alloc(sizeof(*stopper));
	stopper->callbacks = *callbacks;
	stopper->proc_root = mem_strdup(proc_root);
	stopper->timer = handle_new_timer(loop, stopper);
	stopper->pidfds =
		pidfd_watch_new(loop, &(struct pidfd_watch_callbacks){ stopper, on_ended });
	return stopper;
}

static void drop(struct entry *entry)
{
	struct stopper *stopper = entry->stopper;
	struct entry **link = &stopper->entries;
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	pidfd_watch_remove(stopper->pidfds, (uintptr_t)entry);
	free(entry);
	if (!stopper->entries)
		uv_timer_stop(stopper->timer);
}

/* The entry is freed. The callback comes last: it may begin with the next process. */
static void set_result(struct entry *entry, enum action_result result, const char *detail)
{
	struct stopper *stopper = entry->stopper;
	struct action_step *step = entry->step;
	step->result = result;
	step->detail = detail;
	drop(entry);
	stopper->callbacks.changed(stopper->callbacks.data, step);
}

static void note_end(struct entry *entry)
{
	struct process_step *process = &entry->step->process;
	bool late = process->signal == SIGKILL && entry->action->stop_way != STOP_BY_KILL;
	process->took = instant_monotonic() - entry->began_at;
	set_result(entry, RESULT_TERMINATED,
		late ? "SIGKILL: it did not end in time after SIGTERM" : NULL);
}

static void on_ended(void *data, uint64_t key, int64_t at)
{
	(void)data, (void)at;
	note_end((struct entry *)(uintptr_t)key);
}

static const char *describe(const struct entry *entry, const char *what, int error)
{
	return arena_printf(entry->action->arena, "%s: %s", what, strerror(-error));
}

static void send_signal(struct entry *entry, int signal)
{
	struct stopper *stopper = entry->stopper;
	int r = process_signal(entry->fd, signal);
	if (r == -ESRCH) {
		note_end(entry);
	} else if (r < 0) {
		set_result(entry, RESULT_DENIED, describe(entry, action_signal_name(signal), r));
	} else {
		entry->step->process.signal = signal;
		entry->deadline = instant_monotonic() +
			(signal == SIGKILL ? STOP_KILL_DEADLINE : entry->action->grace);
		stopper->callbacks.changed(stopper->callbacks.data, entry->step);
	}
}

static void give_up(struct entry *entry)
{
	char grace[DURATION_TEXT_MAX];
	set_result(entry, RESULT_TIMEOUT,
		entry->step->process.signal == SIGKILL
			? "still there after SIGKILL: it is stuck in the kernel"
			: arena_printf(entry->action->arena,
				  "it did not end within %s of SIGTERM, and was not killed",
				  duration_format(entry->action->grace, grace)));
}

static void check(struct entry *entry, int64_t now)
{
	if (process_has_ended(entry->fd))
		note_end(entry);
	else if (now < entry->deadline)
		return;
	else if (entry->step->process.signal == SIGTERM &&
		entry->action->stop_way != STOP_NEVER_KILL)
		send_signal(entry, SIGKILL);
	else
		give_up(entry);
}

static void on_tick(uv_timer_t *timer)
{
	struct stopper *stopper = timer->data;
	int64_t now = instant_monotonic();
	for (struct entry *entry = stopper->entries, *next; entry; entry = next) {
		next = entry->next;
		check(entry, now);
	}
}

static void refuse(struct entry *entry, int error)
{
	switch (error) {
	case -ESRCH: set_result(entry, RESULT_GONE, NULL); break;
	case -ESTALE:
		set_result(entry, RESULT_CHANGED,
			"its pid is another process's, or it runs another "
			"program by now: left alone");
		break;
	default:
		set_result(entry, RESULT_DENIED,
			describe(entry, "no handle (pidfd) of it can be opened", error));
		break;
	}
}

/* An upgrade may have removed the file of a program that runs on. */
static size_t length_of_file(const char *path)
{
	size_t length = strlen(path), suffix = strlen(PROCFS_DELETED);
	bool deleted = length > suffix && strcmp(path + length - suffix, PROCFS_DELETED) == 0;
	return deleted ? length - suffix : length;
}

/* Whether the held process runs the program that was planned for: exec() keeps pid and start. */
static bool runs_the_same(const struct entry *entry)
{
	const char *planned = entry->step->process.executable;
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%d/exe", entry->stopper->proc_root, entry->step->pid);
	const char *found =
		planned ? procfs_executable(AT_FDCWD, path, entry->action->arena) : NULL;
	return !planned ||
		(found && length_of_file(found) == length_of_file(planned) &&
			strncmp(found, planned, length_of_file(planned)) == 0);
}

static int hold(struct entry *entry)
{
	int fd,
		r = process_hold(entry->stopper->proc_root, entry->step->pid,
			entry->step->process.start_ticks, &fd);
	if (r < 0)
		return r;
	r = pidfd_watch_add(entry->stopper->pidfds, fd, (uintptr_t)entry);
	if (r < 0)
		return r;
	entry->fd = fd;
	return runs_the_same(entry) ? 0 : -ESTALE;
}

void stop_begin(struct stopper *stopper, struct action *action, struct action_step *step)
{
	struct entry *entry = mem_alloc(sizeof(*entry));
	*entry = (struct entry){
		.next = stopper->entries,
		.stopper = stopper,
		.action = action,
		.step = step,
		.fd = -1,
		.began_at = instant_monotonic(),
	};
	stopper->entries = entry;
	if (!uv_is_active((uv_handle_t *)stopper->timer))
		uv_timer_start(stopper->timer, on_tick, TICK_MS, TICK_MS);
	int r = hold(entry);
	if (r < 0)
		refuse(entry, r);
	else
		send_signal(entry, action->stop_way == STOP_BY_KILL ? SIGKILL : SIGTERM);
}

bool stop_busy(const struct stopper *stopper)
{
	return stopper->entries != NULL;
}

void stop_interrupt(struct stopper *stopper)
{
	while (stopper->entries) {
		struct entry *entry = stopper->entries;
		if (process_has_ended(entry->fd))
			note_end(entry);
		else
			set_result(entry, RESULT_TIMEOUT,
				arena_printf(entry->action->arena, "interrupted: %s was sent",
					action_signal_name(entry->step->process.signal)));
	}
}

void stop_free(struct stopper *stopper)
{
	if (!stopper)
		return;
	while (stopper->entries)
		drop(stopper->entries);
	handle_close(stopper->timer);
	pidfd_watch_free(stopper->pidfds);
	free(stopper->proc_root);
	free(stopper);
}
