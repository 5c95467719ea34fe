/* Runs a job, which may block, on a thread.
 *
 * What the job uses belongs to the thread while it runs, and to the loop before and after. Handing
 * it over orders both, so no lock is needed. */
#ifndef LOOP_WORKER_H
#define LOOP_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct worker;

struct worker_callbacks {
	void *data;
	/* The job, on a thread. */
	void (*run)(void *data);
	/* The job is done, or it was cancelled before it began. May start it again, and may free
	 * the worker. Not called after worker_free(). */
	void (*done)(void *data);
	/* Frees the data. Called once, after worker_free(), when no thread uses the data. */
	void (*destroy)(void *data);
};

/* Never NULL. */
struct worker *worker_new(uv_loop_t *loop, const struct worker_callbacks *callbacks)
	__attribute__((returns_nonnull));

/* Starts the job, which must not be running. */
void worker_start(struct worker *worker);

/* True from worker_start() until just before done(). */
bool worker_is_busy(const struct worker *worker);

/* How long the job has been running, in µs; −1 if it is not. */
int64_t worker_busy_for(const struct worker *worker);

/* Cancels the job if it has not begun, because all threads are busy. */
void worker_cancel(struct worker *worker);

/* Frees the worker and destroys the data: at once, or on a later turn of the loop, when the job is
 * done. A job that has not begun is cancelled. NULL is allowed. */
void worker_free(struct worker *worker);

/* A thread is started when a job finds none that is idle, but no more than this many, for all loops
 * together: then a job waits. Never fewer than there are; 4 until this is called. */
void worker_limit_threads(size_t most);

#endif
