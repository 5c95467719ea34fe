/* A shutdown watch on an application that exists in memory only: samples and assessments are made
 * here, and handed to the watch as its sources would. */
#ifndef SUPPORT_WATCHED_H
#define SUPPORT_WATCHED_H

#include <stddef.h>
#include <uv.h>

#include "collect/follow.h"
#include "model/activity.h"
#include "model/pool.h"
#include "session/params.h"

struct assessment;
struct target;
struct watch;

struct watched {
	uv_loop_t loop;
	struct params params;
	struct target *target;
	struct watch *watch;
	struct assessment *assessment; /* the target's: may be written to between two calls */
	struct follow_process *processes;
	struct follow_sample sample; /* every process holds its share of the sockets */
	struct pool_slot slot;       /* of every session */
	size_t n_sockets;
	struct activity answers[2]; /* the last one, and the one before */
	size_t n_answers;
};

/* Armed on n_processes that hold n_sockets to the server, a session for each. */
void watched_init(struct watched *watched, size_t n_sockets, size_t n_processes);
void watched_deinit(struct watched *watched);

/* One sample of the processes and sockets, as the loop hands it to the watch. */
void watched_sample(struct watched *watched);
/* The target's assessment. */
void watched_assess(struct watched *watched);
/* The same, of an answer of the server's to a question that is asked now. */
void watched_poll(struct watched *watched);

#endif
