/* The shutdown watch: follows one application, its processes and its connections, until all of it
 * has ended or its time is up; and fills in the record that analyze/shutdown judges.
 *
 * While it is armed nothing is asked of the server but what the target asks anyway, and when a
 * connection appears or goes. */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "model/shutdown.h"

struct target;
struct watch;

struct watch_options {
	int32_t pid; /* the command, or the process to watch … */
	uint64_t start_ticks;
	bool own;                /* … is our child, and we are the subreaper of its orphans */
	int signal_number;       /* that will be sent; 0: somebody else's affair */
	int64_t timeout, settle; /* µs: see model/shutdown.h */
	void *data;
	/* The record tells something new. */
	void (*changed)(void *data);
	/* As watch_prepare() asked for: now is the time to send the signal. */
	void (*prepared)(void *data);
	/* All that can be learnt is learnt: the verdict stands. */
	void (*settled)(void *data);
};

/* Copied. The target must outlive it. Never NULL. */
struct watch *watch_new(uv_loop_t *loop, struct target *target, const struct watch_options *options)
	__attribute__((returns_nonnull));

/* Nothing is called any more; the handles close in the loop's next turns. NULL is allowed. */
void watch_free(struct watch *watch);

/* The target has a new assessment. */
void watch_assessed(struct watch *watch);

/* How many connections it holds right now. */
int watch_count(const struct watch *watch);

/* Looks at everything once more, so that what comes after the signal is told from what was before;
 * then calls prepared(). */
void watch_prepare(struct watch *watch);

/* The signal was sent. */
void watch_signalled(struct watch *watch);

/* A child of ours was waited for. */
void watch_reaped(struct watch *watch, int32_t pid, int status);

/* Borrowed; it changes while the watch goes on. */
struct shutdown_record *watch_record(struct watch *watch);

/* The verdict stands. */
bool watch_is_settled(const struct watch *watch);

/* The pidfd of one of the processes that has not ended; −1. Borrowed. */
int watch_process_fd(const struct watch *watch, const struct shutdown_process *process);

#endif
