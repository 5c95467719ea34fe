#include "loop/worker.h"

#include <stdlib.h>

#include "base/instant.h"
#include "base/mem.h"

struct worker {
	uv_loop_t *loop;
	struct worker_callbacks callbacks;
	uv_work_t work;
	int64_t began_at; /* monotonic */
	bool busy, in_done, freed;
};

struct worker *worker_new(uv_loop_t *loop, const struct worker_callbacks *callbacks)
{
	struct worker *worker = mem_alloc(sizeof(*worker));
	worker->loop = loop;
	worker->callbacks = *callbacks;
	worker->work.data = worker;
	return worker;
}

static void on_thread(uv_work_t *work)
{
	const struct worker *worker = work->data;
	worker->callbacks.run(worker->callbacks.data);
}

static void destroy_if_unused(struct worker *worker)
{
	if (!worker->freed || worker->busy || worker->in_done)
		return;
	worker->callbacks.destroy(worker->callbacks.data);
	free(worker);
}

static void on_done(uv_work_t *work, int status)
{
	struct worker *worker = work->data;
	(void)status;
	worker->busy = false;
	if (!worker->freed) {
		worker->in_done = true;
		worker->callbacks.done(worker->callbacks.data);
		worker->in_done = false;
	}
	destroy_if_unused(worker);
}

void worker_start(struct worker *worker)
{
	worker->busy = true;
	worker->began_at = instant_monotonic();
	/* uv_queue_work() fails only for a NULL callback. */
	(void)uv_queue_work(worker->loop, &worker->work, on_thread, on_done);
}

bool worker_is_busy(const struct worker *worker)
{
	return worker->busy;
}

int64_t worker_busy_for(const struct worker *worker)
{
	return worker->busy ? instant_monotonic() - worker->began_at : -1;
}

void worker_cancel(struct worker *worker)
{
	if (worker->busy)
		(void)uv_cancel((uv_req_t *)&worker->work);
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	worker->freed = true;
	worker_cancel(worker);
	destroy_if_unused(worker);
}

static void do_nothing(uv_work_t *work)
{
	(void)work;
}

static void free_work(uv_work_t *work, int status)
{
	(void)status;
	free(work);
}

void worker_start_threads(uv_loop_t *loop, const char *count)
{
	uv_work_t *work = mem_alloc(sizeof(*work));
	bool ours = !getenv("UV_THREADPOOL_SIZE");
	if (ours)
		setenv("UV_THREADPOOL_SIZE", count, 1);
	(void)uv_queue_work(loop, work, do_nothing, free_work);
	if (ours)
		unsetenv("UV_THREADPOOL_SIZE");
}
