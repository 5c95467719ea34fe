/* The worker has a copy of what it needs: an interrupted action may be freed before it is done. */
#include "action/remove.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "loop/worker.h"
#include "model/action.h"
#include "page/reader.h"

struct job {
	char *path;
	int32_t pid;
	uint64_t start_ticks;
	size_t step; /* its index in the action */
	int error;
};

struct remover {
	struct step_callbacks callbacks;
	struct action *action; /* NULL: nothing is removed now */
	struct worker *worker;

	/* the worker's while it runs, but for the jobs that are done */
	struct job *jobs;
	size_t n_jobs;
	atomic_size_t n_done;
	atomic_bool stopped; /* no further job is begun */
};

static void remove_on_worker(void *data)
{
	struct remover *remover = data;
	struct page_host host;
	struct page_copy *buffer = mem_alloc(sizeof(*buffer));
	page_host_read("/proc", &host);
	for (size_t i = 0; i < remover->n_jobs && !atomic_load(&remover->stopped); i++) {
		struct job *job = &remover->jobs[i];
		job->error = page_clear(job->path, &host, job->pid, job->start_ticks, buffer);
		atomic_store(&remover->n_done, i + 1);
	}
	free(buffer);
}

static void set_result(struct remover *remover, const struct job *job)
{
	struct action_step *step = &remover->action->steps[job->step];
	switch (job->error) {
	case 0: step->result = RESULT_CLEARED; break;
	case -ENOENT: step->result = RESULT_GONE; break;
	case -ESTALE: step->result = RESULT_CHANGED; break;
	default:
		step->result = RESULT_DENIED;
		step->detail = arena_strdup(remover->action->arena, strerror(-job->error));
		break;
	}
	remover->callbacks.changed(remover->callbacks.data, step);
}

static void set_interrupted(struct remover *remover, const struct job *job, bool begun)
{
	struct action_step *step = &remover->action->steps[job->step];
	step->result = RESULT_TIMEOUT;
	step->detail = begun ? "interrupted: whether it was removed is not known"
			     : "interrupted: not removed";
	remover->callbacks.changed(remover->callbacks.data, step);
}

static void free_jobs(struct remover *remover)
{
	for (size_t i = 0; i < remover->n_jobs; i++)
		free(remover->jobs[i].path);
	free(remover->jobs);
	remover->jobs = NULL;
	remover->n_jobs = 0;
}

static void destroy(void *data)
{
	struct remover *remover = data;
	free_jobs(remover);
	free(remover);
}

/* The callback comes last: it may begin with the next action. */
static void on_removed(void *data)
{
	struct remover *remover = data;
	if (!remover->action)
		return;
	for (size_t i = 0; i < remover->n_jobs; i++)
		set_result(remover, &remover->jobs[i]);
	free_jobs(remover);
	remover->action = NULL;
	remover->callbacks.done(remover->callbacks.data);
}

struct remover *remove_new(uv_loop_t *loop, const struct step_callbacks *callbacks)
{
	struct remover *remover = mem_alloc(sizeof(*remover));
	const struct worker_callbacks worker = { remover, remove_on_worker, on_removed, destroy };
	*remover = (struct remover){
		.callbacks = *callbacks,
		.worker = worker_new(loop, &worker),
	};
	return remover;
}

void remove_begin(struct remover *remover, struct action *action)
{
	remover->action = action;
	remover->jobs = mem_alloc(action->n_steps * sizeof(*remover->jobs));
	for (size_t i = 0; i < action->n_steps; i++) {
		const struct action_step *step = &action->steps[i];
		if (step->kind == STEP_PAGE && step->selected)
			remover->jobs[remover->n_jobs++] = (struct job){
				.path = mem_strdup(step->page.path),
				.pid = step->pid,
				.start_ticks = step->page.start_ticks,
				.step = i,
			};
	}
	atomic_store(&remover->n_done, 0);
	atomic_store(&remover->stopped, false);
	worker_start(remover->worker);
}

void remove_interrupt(struct remover *remover)
{
	if (!remover->action)
		return;
	atomic_store(&remover->stopped, true);
	/* Only the page after those that are done can be under way. */
	size_t n_done = atomic_load(&remover->n_done);
	for (size_t i = 0; i < remover->n_jobs; i++)
		if (i < n_done)
			set_result(remover, &remover->jobs[i]);
		else
			set_interrupted(remover, &remover->jobs[i], i == n_done);
	remover->action = NULL;
}

void remove_free(struct remover *remover)
{
	if (!remover)
		return;
	remove_interrupt(remover);
	worker_free(remover->worker);
}
