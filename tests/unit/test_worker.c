/* loop/worker: jobs on threads, and what becomes of them when they are freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/instant.h"
#include "base/mem.h"
#include "loop/worker.h"

struct job {
	struct worker *worker;
	sem_t begun, may_end; /* run() waits for may_end */
	int runs, dones, destroyed;
	int again;      /* done() starts the job this often */
	bool free_done; /* done() frees the worker */
};

static void run(void *data)
{
	struct job *job = data;
	job->runs++;
	sem_post(&job->begun);
	sem_wait(&job->may_end);
}

static void done(void *data)
{
	struct job *job = data;
	job->dones++;
	assert_false(worker_is_busy(job->worker));
	assert_int_equal(worker_busy_for(job->worker), -1);
	if (job->again-- > 0)
		worker_start(job->worker);
	if (!job->free_done)
		return;
	worker_free(job->worker);
	/* done() still uses the data */
	assert_int_equal(job->destroyed, 0);
}

static void destroy(void *data)
{
	struct job *job = data;
	job->destroyed++;
}

static void init(struct job *job, uv_loop_t *loop)
{
	*job = (struct job){ 0 };
	sem_init(&job->begun, 0, 0);
	sem_init(&job->may_end, 0, 0);
	job->worker = worker_new(loop, &(struct worker_callbacks){ job, run, done, destroy });
}

static int set_up(void **state)
{
	uv_loop_t *loop = mem_alloc(sizeof(*loop));
	assert_int_equal(uv_loop_init(loop), 0);
	*state = loop;
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(uv_loop_close(*state), 0);
	free(*state);
	return 0;
}

static void a_job_runs_again_from_its_end(void **state)
{
	struct job job;
	init(&job, *state);
	job.again = 1;
	sem_post(&job.may_end);
	sem_post(&job.may_end);
	assert_int_equal(worker_busy_for(job.worker), -1);
	int64_t before = instant_monotonic();
	worker_start(job.worker);
	assert_true(worker_is_busy(job.worker));
	int64_t busy_for = worker_busy_for(job.worker);
	assert_in_range(busy_for, 0, instant_monotonic() - before);
	uv_run(*state, UV_RUN_DEFAULT);
	assert_int_equal(job.runs, 2);
	assert_int_equal(job.dones, 2);
	assert_int_equal(job.destroyed, 0);
	/* an idle worker is freed at once */
	worker_free(job.worker);
	assert_int_equal(job.destroyed, 1);
}

static void a_running_job_keeps_its_data(void **state)
{
	struct job job;
	init(&job, *state);
	worker_start(job.worker);
	sem_wait(&job.begun);
	worker_free(job.worker);
	assert_int_equal(job.destroyed, 0);
	sem_post(&job.may_end);
	uv_run(*state, UV_RUN_DEFAULT);
	assert_int_equal(job.dones, 0);
	assert_int_equal(job.destroyed, 1);
}

static void a_job_is_freed_in_its_end(void **state)
{
	struct job job;
	init(&job, *state);
	job.free_done = true;
	sem_post(&job.may_end);
	worker_start(job.worker);
	uv_run(*state, UV_RUN_DEFAULT);
	assert_int_equal(job.dones, 1);
	assert_int_equal(job.destroyed, 1);
}

/* Started again, and freed, in one call: the second run still uses the data. */
static void a_job_is_freed_as_it_starts_again(void **state)
{
	struct job job;
	init(&job, *state);
	job.again = 1;
	job.free_done = true;
	sem_post(&job.may_end);
	sem_post(&job.may_end);
	worker_start(job.worker);
	uv_run(*state, UV_RUN_DEFAULT);
	assert_int_equal(job.dones, 1);
	assert_int_equal(job.destroyed, 1);
}

/* The threads of this process; *ret_asleep: all others than this one wait. */
static int count_threads(bool *ret_asleep)
{
	int count = 0;
	DIR *folder = opendir("/proc/self/task");
	assert_non_null(folder);
	*ret_asleep = true;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (*entry->d_name == '.')
			continue;
		char path[300], stat[512] = "";
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", entry->d_name);
		FILE *file = fopen(path, "r");
		assert_non_null(file);
		assert_non_null(fgets(stat, sizeof(stat), file));
		fclose(file);
		count++;
		if (atoi(entry->d_name) != gettid() && !strstr(stat, ") S "))
			*ret_asleep = false;
	}
	closedir(folder);
	return count;
}

/* The only thread is busy: the second job has not begun. */
static void a_job_that_has_not_begun_is_cancelled(void **state)
{
	struct job busy, waiting, freed;
	bool asleep;
	init(&busy, *state);
	init(&waiting, *state);
	init(&freed, *state);
	worker_start(busy.worker);
	sem_wait(&busy.begun);
	int before = count_threads(&asleep);
	worker_start(waiting.worker);
	worker_start(freed.worker);
	assert_int_equal(count_threads(&asleep), before);
	worker_cancel(waiting.worker);
	worker_free(freed.worker);
	sem_post(&busy.may_end);
	uv_run(*state, UV_RUN_DEFAULT);
	assert_int_equal(waiting.runs, 0);
	assert_int_equal(waiting.dones, 1);
	assert_int_equal(freed.runs, 0);
	assert_int_equal(freed.dones, 0);
	assert_int_equal(freed.destroyed, 1);
	worker_free(waiting.worker);
	worker_free(busy.worker);
	assert_int_equal(waiting.destroyed + busy.destroyed, 2);
}

/* There may be more threads, but the one of the job before is idle. */
static void a_thread_is_used_again(void **state)
{
	struct job job;
	bool asleep;
	int before = count_threads(&asleep);
	worker_limit_threads(3);
	init(&job, *state);
	for (int i = 0; i < 3; i++) {
		do
			assert_int_equal(count_threads(&asleep), before);
		while (!asleep);
		sem_post(&job.may_end);
		worker_start(job.worker);
		uv_run(*state, UV_RUN_DEFAULT);
	}
	assert_int_equal(job.dones, 3);
	assert_int_equal(count_threads(&asleep), before);
	worker_free(job.worker);
}

/* A job finds no idle thread, and gets another one. */
static void jobs_run_side_by_side(void **state)
{
	struct job jobs[3];
	for (int i = 0; i < 3; i++) {
		init(&jobs[i], *state);
		worker_start(jobs[i].worker);
	}
	for (int i = 0; i < 3; i++)
		sem_wait(&jobs[i].begun);
	for (int i = 0; i < 3; i++)
		sem_post(&jobs[i].may_end);
	uv_run(*state, UV_RUN_DEFAULT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(jobs[i].dones, 1);
		worker_free(jobs[i].worker);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_runs_again_from_its_end),
		TEST(a_running_job_keeps_its_data),
		TEST(a_job_is_freed_in_its_end),
		TEST(a_job_is_freed_as_it_starts_again),
		TEST(a_job_that_has_not_begun_is_cancelled),
		/* last: more threads, which stay */
		TEST(a_thread_is_used_again),
		TEST(jobs_run_side_by_side),
	};
	worker_limit_threads(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
