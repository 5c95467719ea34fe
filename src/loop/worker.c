/* A thread is started for a job that finds no idle one, and then waits for the next job. */
#include "loop/worker.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/instant.h"
#include "base/mem.h"
#include "base/thread.h"
#include "loop/handle.h"

struct worker {
	uv_loop_t *loop;
	struct worker_callbacks callbacks;
	uv_async_t *ran; /* tells the loop; NULL unless busy */
	struct worker *next;
	int64_t began_at; /* monotonic */
	bool busy, in_done, freed;
};

/* The threads, and the jobs that none of them has begun: the oldest first. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t queued;
	struct worker *first, **last;
	size_t n_queued, n_idle, n_threads, most;
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.queued = PTHREAD_COND_INITIALIZER,
	.last = &pool.first,
	.most = 4,
};

void worker_limit_threads(size_t most)
{
	pthread_mutex_lock(&pool.lock);
	pool.most = most;
	pthread_mutex_unlock(&pool.lock);
}

/* Takes the link's worker out of the queue. */
static struct worker *take(struct worker **link)
{
	struct worker *worker = *link;
	*link = worker->next;
	if (!*link)
		pool.last = link;
	pool.n_queued--;
	return worker;
}

static void *run_jobs(void *unused)
{
	pthread_mutex_lock(&pool.lock);
	for (;;) {
		while (!pool.first) {
			pool.n_idle++;
			pthread_cond_wait(&pool.queued, &pool.lock);
			pool.n_idle--;
		}
		struct worker *worker = take(&pool.first);
		pthread_mutex_unlock(&pool.lock);
		worker->callbacks.run(worker->callbacks.data);
		/* from then on the worker is the loop's */
		uv_async_send(worker->ran);
		pthread_mutex_lock(&pool.lock);
	}
	return unused;
}

/* If it fails, the job waits for another thread; without any, none would ever run. */
static void start_thread(void)
{
	pthread_t thread;
	int error = thread_start(&thread, run_jobs, NULL);
	if (error && !pool.n_threads)
		abort();
	if (error)
		return;
	pthread_detach(thread);
	pool.n_threads++;
}

struct worker *worker_new(uv_loop_t *loop, const struct worker_callbacks *callbacks)
{
	struct worker *worker = mem_alloc(sizeof(*worker));
	worker->loop = loop;
	worker->callbacks = *callbacks;
	return worker;
}

static void destroy_if_unused(struct worker *worker)
{
	if (!worker->freed || worker->busy || worker->in_done)
		return;
	worker->callbacks.destroy(worker->callbacks.data);
	free(worker);
}

static void on_ran(uv_async_t *ran)
{
	struct worker *worker = ran->data;
	handle_close(ran);
	worker->ran = NULL;
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
	worker->next = NULL;
	worker->ran = mem_alloc(sizeof(*worker->ran));
	worker->ran->data = worker;
	/* it fails only for the loop's first one, which uv_loop_init() has made */
	(void)uv_async_init(worker->loop, worker->ran, on_ran);
	pthread_mutex_lock(&pool.lock);
	*pool.last = worker;
	pool.last = &worker->next;
	if (++pool.n_queued > pool.n_idle && pool.n_threads < pool.most)
		start_thread();
	pthread_cond_signal(&pool.queued);
	pthread_mutex_unlock(&pool.lock);
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
	pthread_mutex_lock(&pool.lock);
	for (struct worker **link = &pool.first; *link; link = &(*link)->next) {
		if (*link != worker)
			continue;
		take(link);
		uv_async_send(worker->ran);
		break;
	}
	pthread_mutex_unlock(&pool.lock);
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	worker->freed = true;
	worker_cancel(worker);
	destroy_if_unused(worker);
}
