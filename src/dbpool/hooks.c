/* Runs the application's hooks during a shutdown. Each hook has its own thread, because a hook that
 * hangs cannot be stopped: the shutdown goes on without it. */
#include "dbpool/hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dbpool/default.h"
#include "dbpool/error.h"
#include "dbpool/event.h"
#include "dbpool/lifetime.h"
#include "dbpool/state.h"
#include "dbpool/util.h"

#define STANDARD_DEADLINE_MS 5000

/* Freed by the last user: the shutdown, or a hook that the shutdown left behind. */
struct hook_job {
	struct dbpool *pool;
	struct dbpool_hook hook;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool ended, abandoned;
	int result;
};

static __thread struct dbpool *here;

bool hook_is_here(const struct dbpool *pool)
{
	return here == pool;
}

static void job_free(struct hook_job *job)
{
	pthread_mutex_destroy(&job->lock);
	pthread_cond_destroy(&job->done);
	free(job);
}

static void *job_run(void *data)
{
	struct hook_job *job = data;
	here = job->pool;
	int result = job->hook.run(job->hook.data);
	/* a hook that was left behind may be the last user of the pool */
	pthread_mutex_lock(&job->pool->lock);
	job->pool->guests--;
	pool_leave(job->pool);
	pthread_mutex_lock(&job->lock);
	job->result = result;
	job->ended = true;
	bool abandoned = job->abandoned;
	pthread_cond_signal(&job->done);
	pthread_mutex_unlock(&job->lock);
	if (abandoned)
		job_free(job);
	return NULL;
}

static struct hook_job *job_new(struct dbpool *pool, const struct dbpool_hook *hook)
{
	struct hook_job *job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->pool = pool;
	job->hook = *hook;
	pthread_mutex_init(&job->lock, NULL);
	init_cond(&job->done);
	return job;
}

/* Returns true when the hook ended before `until`; otherwise marks the job as abandoned. */
static bool job_wait(struct hook_job *job, int64_t until)
{
	struct timespec ts = to_timespec(until);
	pthread_mutex_lock(&job->lock);
	while (!job->ended && now_usec() < until)
		pthread_cond_timedwait(&job->done, &job->lock, &ts);
	bool ended = job->ended;
	job->abandoned = !ended;
	pthread_mutex_unlock(&job->lock);
	return ended;
}

static void count_guest(struct dbpool *pool, int change)
{
	pthread_mutex_lock(&pool->lock);
	pool->guests += (unsigned)change;
	pthread_mutex_unlock(&pool->lock);
}

static enum page_hook_state run_one(
	struct dbpool *pool, const struct hook *hook, int64_t until, int *ret_result)
{
	pthread_t thread;
	int64_t deadline = now_usec() + hook->hook.deadline_ms * INT64_C(1000);
	struct hook_job *job = job_new(pool, &hook->hook);
	count_guest(pool, 1);
	int r = job ? start_thread(&thread, "dbpool-hook", job_run, job) : -ENOMEM;
	if (r < 0) {
		count_guest(pool, -1);
		/* no thread: run the hook here, without a deadline */
		if (job)
			job_free(job);
		here = pool;
		*ret_result = hook->hook.run(hook->hook.data);
		here = NULL;
	} else if (job_wait(job, deadline < until ? deadline : until)) {
		*ret_result = job->result;
		pthread_join(thread, NULL);
		job_free(job);
	} else {
		pthread_detach(thread);
		return PAGE_HOOK_LATE;
	}
	return *ret_result ? PAGE_HOOK_FAILED : PAGE_HOOK_DONE;
}

void hooks_run(struct dbpool *pool, enum dbpool_hook_phase phase, int64_t until)
{
	static const char *const outcomes[PAGE_HOOK_STATES] = {
		[PAGE_HOOK_DONE] = "is done",
		[PAGE_HOOK_FAILED] = "failed",
		[PAGE_HOOK_LATE] = "ran over its deadline, and is left behind",
	};
	for (unsigned i = 0; i < pool->n_hooks; i++) {
		struct hook *hook = &pool->hooks[i];
		int result = 0;
		char took[24];
		if (hook->hook.phase != phase)
			continue;
		int64_t start = now_usec();
		page_hook_set(hook->page, PAGE_HOOK_RUNNING, 0, 0);
		enum page_hook_state state = run_one(pool, hook, until, &result);
		int64_t usec = now_usec() - start;
		page_hook_set(hook->page, state, result, usec);
		struct dbpool_event event = {
			.kind = DBPOOL_EVENT_HOOK,
			.usec = usec,
			.result = result,
			.warning = state != PAGE_HOOK_DONE,
		};
		report_event(pool, &event, "hook %s %s after %s, result %d", hook->name,
			outcomes[state], format_usec(usec, took), result);
	}
}

static int add(struct dbpool *pool, const struct dbpool_hook *hook)
{
	int deadline_ms = hook->deadline_ms ? hook->deadline_ms : STANDARD_DEADLINE_MS;
	struct page_hook *page;
	if (pool->phase != DBPOOL_STARTING && pool->phase != DBPOOL_RUNNING)
		return fail(DBPOOL_SHUTTING_DOWN, "the pool shuts down or does not run");
	if (pool->n_hooks == DBPOOL_HOOKS_MAX ||
		!page_hook_add(pool->page, hook->name, (enum page_hook_phase)hook->phase,
			deadline_ms * INT64_C(1000), &page))
		return fail(-ENOSPC, "there are %d hooks already", DBPOOL_HOOKS_MAX);
	struct hook *place = &pool->hooks[pool->n_hooks++];
	*place = (struct hook){ .hook = *hook, .page = page };
	place->hook.deadline_ms = deadline_ms;
	snprintf(place->name, sizeof(place->name), "%s", hook->name);
	place->hook.name = place->name;
	return DBPOOL_OK;
}

int dbpool_hook_add(struct dbpool *pool, const struct dbpool_hook *hook)
{
	if (!pool)
		pool = dbpool_default();
	if (!hook || !hook->run || !hook->name || !*hook->name || hook->deadline_ms < 0 ||
		(unsigned)hook->phase > DBPOOL_HOOK_CLOSED)
		return fail(-EINVAL, "a hook needs a name, a phase and a function");
	if (!pool || pool->forked)
		return fail(DBPOOL_SHUTTING_DOWN, "no pool runs: dbpool_start() comes first");
	pthread_mutex_lock(&pool->lock);
	int r = add(pool, hook);
	pthread_mutex_unlock(&pool->lock);
	return r;
}

static int remove_hook(struct dbpool *pool, int (*run)(void *data), const void *data)
{
	if (pool->phase != DBPOOL_STARTING && pool->phase != DBPOOL_RUNNING)
		return fail(DBPOOL_SHUTTING_DOWN, "the pool shuts down or does not run");
	unsigned i = 0;
	while (i < pool->n_hooks &&
		(pool->hooks[i].hook.run != run || pool->hooks[i].hook.data != data))
		i++;
	if (i == pool->n_hooks)
		return fail(-ENOENT, "there is no such hook");
	page_hook_remove(pool->hooks[i].page);
	pool->n_hooks--;
	for (; i < pool->n_hooks; i++) {
		pool->hooks[i] = pool->hooks[i + 1];
		pool->hooks[i].hook.name = pool->hooks[i].name;
	}
	return DBPOOL_OK;
}

int dbpool_hook_remove(struct dbpool *pool, int (*run)(void *data), const void *data)
{
	if (!pool)
		pool = dbpool_default();
	if (!pool || pool->forked)
		return fail(DBPOOL_SHUTTING_DOWN, "no pool was started");
	pthread_mutex_lock(&pool->lock);
	int r = remove_hook(pool, run, data);
	pthread_mutex_unlock(&pool->lock);
	return r;
}
