/* One entry a process, its pidfd watched by the loop; one timer for all deadlines. */
#include "action/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "loop/pidfd_watch.h"
#include "model/emergency.h"
#include "proc/process.h"

#define TICK_MS 20

struct entry {
	struct entry *next;
	struct stopper *stopper;
	struct emergency_process *process;
	int fd; /* owned by the watch of pidfds, whose key is the entry's address; −1: none */
	int64_t began_at, deadline; /* monotonic */
};

struct stopper {
	struct stop_options options;
	char *proc_root;
	uv_timer_t *timer;
	struct pidfd_watch *pidfds;
	struct entry *entries; /* those on their way */
};

static void on_tick(uv_timer_t *timer);
static void on_ended(void *data, uint64_t key, int64_t at);

struct stopper *stop_new(uv_loop_t *loop, const struct stop_options *options)
{
	struct stopper *stopper = mem_alloc(sizeof(*stopper));
	stopper->options = *options;
	stopper->proc_root = mem_strdup(options->proc_root);
	stopper->timer = handle_new_timer(loop, stopper);
	stopper->pidfds =
		pidfd_watch_new(loop, &(struct pidfd_watch_callbacks){ stopper, on_ended });
	return stopper;
}

static void tell(struct stopper *stopper, const struct emergency_process *process)
{
	if (stopper->options.progress)
		stopper->options.progress(stopper->options.data, process);
}

/* The entry is gone after it. */
static void settle(struct entry *entry, enum action_result result, const char *detail)
{
	struct stopper *stopper = entry->stopper;
	struct entry **link = &stopper->entries;
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	entry->process->result = result;
	entry->process->detail = detail;
	pidfd_watch_remove(stopper->pidfds, (uintptr_t)entry);
	free(entry);
	if (!stopper->entries)
		uv_timer_stop(stopper->timer);
}

static void note_end(struct entry *entry)
{
	struct emergency_process *process = entry->process;
	bool late = process->signal == SIGKILL && !entry->stopper->options.force;
	process->took = instant_monotonic() - entry->began_at;
	settle(entry, RESULT_TERMINATED, late ? "SIGKILL: it did not obey SIGTERM in time" : NULL);
}

static void on_ended(void *data, uint64_t key, int64_t at)
{
	struct stopper *stopper = data;
	struct entry *entry = (struct entry *)(uintptr_t)key;
	struct emergency_process *process = entry->process;
	(void)at;
	note_end(entry);
	tell(stopper, process);
}

static const char *describe(const struct entry *entry, const char *what, int error)
{
	return arena_printf(entry->stopper->options.arena, "%s: %s", what, strerror(-error));
}

static void send_signal(struct entry *entry, int signal)
{
	int r = process_signal(entry->fd, signal);
	if (r == -ESRCH) {
		note_end(entry);
	} else if (r < 0) {
		settle(entry, RESULT_DENIED, describe(entry, emergency_signal_name(signal), r));
	} else {
		entry->process->signal = signal;
		entry->deadline = instant_monotonic() +
			(signal == SIGKILL ? STOP_KILL_DEADLINE : entry->stopper->options.grace);
	}
}

/* Whether there is something to tell. */
static bool check(struct entry *entry, int64_t now)
{
	if (process_has_ended(entry->fd))
		note_end(entry);
	else if (now < entry->deadline)
		return false;
	else if (entry->process->signal == SIGTERM)
		send_signal(entry, SIGKILL);
	else
		settle(entry, RESULT_TIMEOUT,
			"still there after SIGKILL: the kernel does not let it go");
	return true;
}

static void on_tick(uv_timer_t *timer)
{
	struct stopper *stopper = timer->data;
	int64_t now = instant_monotonic();
	for (struct entry *entry = stopper->entries, *next; entry; entry = next) {
		struct emergency_process *process = entry->process;
		next = entry->next;
		if (check(entry, now))
			tell(stopper, process);
	}
}

static void refuse(struct entry *entry, int error)
{
	switch (error) {
	case -ESRCH: settle(entry, RESULT_GONE, NULL); break;
	case -ESTALE:
		settle(entry, RESULT_CHANGED, "its pid is another process's by now: left alone");
		break;
	default: settle(entry, RESULT_DENIED, describe(entry, "it cannot be held", error)); break;
	}
}

static int hold(struct entry *entry)
{
	struct emergency_process *process = entry->process;
	int fd,
		r = process_hold(
			entry->stopper->proc_root, process->pid, process->start_ticks, &fd);
	if (r < 0)
		return r;
	r = pidfd_watch_add(entry->stopper->pidfds, fd, (uintptr_t)entry);
	if (r == 0)
		entry->fd = fd;
	return r;
}

int stop_begin(struct stopper *stopper, struct emergency_process *process)
{
	if (stopper->options.readonly)
		return -EPERM;
	struct entry *entry = mem_alloc(sizeof(*entry));
	entry->stopper = stopper;
	entry->process = process;
	entry->fd = -1;
	entry->began_at = instant_monotonic();
	entry->next = stopper->entries;
	stopper->entries = entry;
	int r = hold(entry);
	if (r < 0)
		refuse(entry, r);
	else
		send_signal(entry, stopper->options.force ? SIGKILL : SIGTERM);
	if (stopper->entries && !uv_is_active((uv_handle_t *)stopper->timer))
		uv_timer_start(stopper->timer, on_tick, TICK_MS, TICK_MS);
	return 0;
}

bool stop_busy(const struct stopper *stopper)
{
	return stopper->entries != NULL;
}

void stop_interrupt(struct stopper *stopper)
{
	while (stopper->entries) {
		struct entry *entry = stopper->entries;
		if (process_has_ended(entry->fd)) {
			note_end(entry);
			continue;
		}
		settle(entry, RESULT_TIMEOUT,
			arena_printf(stopper->options.arena, "interrupted: %s was sent",
				emergency_signal_name(entry->process->signal)));
	}
}

void stop_free(struct stopper *stopper)
{
	if (!stopper)
		return;
	while (stopper->entries)
		settle(stopper->entries, stopper->entries->process->result, NULL);
	handle_close(stopper->timer);
	pidfd_watch_free(stopper->pidfds);
	free(stopper->proc_root);
	free(stopper);
}
