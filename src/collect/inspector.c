/* Each inspection has its own memory, which is the worker's alone until the worker comes back. An
 * inspection that hangs is abandoned with it, and the next one skips the process in which it hangs.
 *
 * The loop's thread reads three things of an inspection under way: its thread, which process is
 * being read, and how many facts are complete. All are atomic, and complete facts do not change any
 * more. */
#include "collect/inspector.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/relays.h"
#include "loop/handle.h"
#include "loop/worker.h"
#include "proc/inspect.h"
#include "proc/procfs.h"

/* The most inspections that may hang: each takes a thread. */
#define MOST_STUCK 4

struct inspection {
	struct inspector *inspector;
	bool abandoned;
	struct worker *worker;
	struct arena *arena;
	struct inspect_request request;
	struct inspect_progress progress;
	atomic_int thread;     /* 0 before it runs */
	struct relays *relays; /* NULL until a process has several sockets */
	struct process_facts *facts;
};

/* A process in which an inspection hangs; pid 0: it hangs between two processes. */
struct stuck_inspection {
	struct inspection *inspection;
	int32_t pid;
	uint64_t start_ticks;
};

struct inspector {
	uv_loop_t *loop;
	inspector_done_fn *done;
	void *data;
	uv_timer_t *watchdog;
	int64_t timeout;
	struct arena *arena;            /* of the request */
	struct inspect_request request; /* with all its processes */
	struct inspection *current;     /* NULL: none is under way */
	bool has_watched;
	unsigned watched; /* the steps when the watchdog last ran */
	struct stuck_inspection stuck[MOST_STUCK];
	size_t n_stuck;
};

static void start(struct inspector *inspector);

struct inspector *inspector_new(uv_loop_t *loop, inspector_done_fn *done, void *data)
{
	struct inspector *inspector = mem_alloc(sizeof(*inspector));
	inspector->loop = loop;
	inspector->done = done;
	inspector->data = data;
	inspector->timeout = INSPECTOR_TIMEOUT;
	inspector->arena = arena_new();
	inspector->watchdog = handle_new_timer(loop, inspector);
	return inspector;
}

size_t inspector_hanging(const struct inspector *inspector)
{
	return inspector->n_stuck;
}

static void *copy(struct arena *arena, const void *items, size_t count, size_t size)
{
	void *copied = arena_array(arena, count, size);
	if (count)
		memcpy(copied, items, count * size);
	return copied;
}

/* The copy refers to nothing outside the arena but `data` and `progress`, which start() sets. */
static struct inspect_request copy_request(
	struct arena *arena, const struct inspect_request *request)
{
	struct inspect_request copied = *request;
	copied.proc_root = arena_strdup(arena, request->proc_root);
	copied.who = copy(arena, request->who, request->n_who, sizeof(*request->who));
	copied.servers =
		copy(arena, request->servers, request->n_servers, sizeof(*request->servers));
	copied.ports = copy(arena, request->ports, request->n_ports, sizeof(*request->ports));
	return copied;
}

static void destroy_inspection(void *data)
{
	struct inspection *inspection = data;
	arena_free(inspection->arena);
	free(inspection);
}

/* Takes a dump of all TCP sockets, and so only for a process that has several sockets. */
static bool forwards(void *data, const uint32_t *inodes, size_t n_inodes)
{
	struct inspection *inspection = data;
	const struct inspect_request *request = &inspection->request;
	if (n_inodes < 2 || !request->n_ports)
		return false;
	if (!inspection->relays)
		inspection->relays = relays_new(inspection->arena, request->proc_root);
	return relays_forwards(
		inspection->relays, inodes, n_inodes, request->ports, request->n_ports);
}

static void inspect(void *data)
{
	struct inspection *inspection = data;
	atomic_store(&inspection->thread, gettid());
	(void)inspect_processes(&inspection->request, inspection->arena, &inspection->facts);
}

/* With the facts that are complete by now. */
static void report(struct inspector *inspector, const struct inspection *inspection)
{
	size_t count = atomic_load(&inspection->progress.n_facts);
	inspector->current = NULL;
	uv_timer_stop(inspector->watchdog);
	inspector->done(inspector->data, count ? inspection->facts : NULL, count);
}

/* The process went on or ended, and with it the abandoned inspection. */
static void came_back(struct inspector *inspector, struct inspection *inspection)
{
	for (size_t i = 0; i < inspector->n_stuck; i++)
		if (inspector->stuck[i].inspection == inspection) {
			inspector->stuck[i] = inspector->stuck[--inspector->n_stuck];
			break;
		}
	worker_free(inspection->worker);
}

static void on_inspected(void *data)
{
	struct inspection *inspection = data;
	if (inspection->abandoned) {
		came_back(inspection->inspector, inspection);
		return;
	}
	report(inspection->inspector, inspection);
	worker_free(inspection->worker);
}

/* The start of the process that is being read; 0 when there is none. */
static uint64_t find_start(const struct inspect_request *request, int32_t pid)
{
	for (size_t i = 0; i < request->n_who; i++)
		if (request->who[i].pid == pid)
			return request->who[i].start_ticks;
	return 0;
}

/* Begins again without the process. When it is not known which one it is, or too many hang, the
 * facts that are complete have to do. */
static void abandon(struct inspector *inspector)
{
	struct inspection *inspection = inspector->current;
	int32_t pid = atomic_load(&inspection->progress.pid);
	inspection->abandoned = true;
	atomic_store(&inspection->progress.stop, true);
	inspector->stuck[inspector->n_stuck++] =
		(struct stuck_inspection){ inspection, pid, find_start(&inspector->request, pid) };
	/* it has not begun when all threads are taken */
	worker_cancel(inspection->worker);
	if (pid && inspector->n_stuck < MOST_STUCK)
		start(inspector);
	else
		report(inspector, inspection);
}

static void on_watchdog(uv_timer_t *timer);

static void start_watchdog(struct inspector *inspector)
{
	uint64_t ms = (uint64_t)(inspector->timeout / USEC_PER_MSEC);
	inspector->has_watched = false;
	uv_timer_start(inspector->watchdog, on_watchdog, ms / 2, ms / 2);
}

void inspector_set_timeout(struct inspector *inspector, int64_t timeout)
{
	inspector->timeout = timeout;
	if (inspector->current)
		start_watchdog(inspector);
}

/* A thread that waits for a processor hangs nowhere: on a busy machine that can take seconds. */
static bool wants_processor(const struct inspection *inspection)
{
	char path[48];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&inspection->thread));
	return procfs_stat_at(AT_FDCWD, path, &stat) == 0 && stat.state == 'R';
}

static void on_watchdog(uv_timer_t *timer)
{
	struct inspector *inspector = timer->data;
	const struct inspection *inspection = inspector->current;
	unsigned steps = inspection ? atomic_load(&inspection->progress.steps) : 0;
	if (inspection && inspector->has_watched && steps == inspector->watched &&
		!wants_processor(inspection)) {
		abandon(inspector);
		return;
	}
	inspector->has_watched = true;
	inspector->watched = steps;
}

/* Reports no facts: on a later turn of the loop, as for any inspection. */
static void on_full(uv_timer_t *timer)
{
	struct inspector *inspector = timer->data;
	inspector->done(inspector->data, NULL, 0);
}

static void mark_stuck(const struct inspector *inspector, struct inspection *inspection)
{
	/* the copy, which is not in use yet */
	struct inspect_who *who = (struct inspect_who *)inspection->request.who;
	for (size_t i = 0; i < inspection->request.n_who; i++)
		for (size_t k = 0; k < inspector->n_stuck; k++)
			who[i].hangs |= inspector->stuck[k].pid == who[i].pid &&
				inspector->stuck[k].start_ticks == who[i].start_ticks;
}

static void start(struct inspector *inspector)
{
	struct inspection *inspection = mem_alloc(sizeof(*inspection));
	inspection->inspector = inspector;
	inspection->worker = worker_new(inspector->loop,
		&(struct worker_callbacks){
			inspection, inspect, on_inspected, destroy_inspection });
	inspection->arena = arena_new();
	inspection->request = copy_request(inspection->arena, &inspector->request);
	inspection->request.forwards = forwards;
	inspection->request.data = inspection;
	inspection->request.progress = &inspection->progress;
	mark_stuck(inspector, inspection);
	inspector->current = inspection;
	start_watchdog(inspector);
	worker_start(inspection->worker);
}

void inspector_begin(struct inspector *inspector, const struct inspect_request *request)
{
	arena_reset(inspector->arena);
	inspector->request = copy_request(inspector->arena, request);
	if (inspector->n_stuck == MOST_STUCK)
		uv_timer_start(inspector->watchdog, on_full, 0, 0);
	else
		start(inspector);
}

void inspector_free(struct inspector *inspector)
{
	if (!inspector)
		return;
	handle_close(inspector->watchdog);
	for (size_t i = 0; i < inspector->n_stuck; i++)
		worker_free(inspector->stuck[i].inspection->worker);
	if (inspector->current) {
		atomic_store(&inspector->current->progress.stop, true);
		worker_free(inspector->current->worker);
	}
	arena_free(inspector->arena);
	free(inspector);
}
