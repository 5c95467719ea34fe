/* Runs an action: checks that it may be run, writes the audit log, gives each step to the executor
 * of its kind, and records the results. */
#ifndef ACTION_RUNNER_H
#define ACTION_RUNNER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct action;
struct action_step;
struct audit;
struct runner;
struct session;

#define RUNNER_DEADLINE_DEFAULT (INT64_C(5) * 1000000)

struct runner_options {
	bool readonly;       /* nothing is ever sent, signalled, started or removed */
	int64_t deadline;    /* µs: for each answer of the server, and for all sessions to end */
	struct audit *audit; /* borrowed; NULL: none */
};

struct runner_callbacks {
	void *data;
	/* A step was signalled or started, or it has its result. May be NULL. */
	void (*progress)(void *data, const struct action_step *step);
	/* Each selected step has a result. The runner is ready for the next action, and may be
	 * freed. */
	void (*done)(void *data);
};

/* Never NULL. The session is borrowed and must outlive it. */
struct runner *runner_new(uv_loop_t *loop, struct session *session,
	const struct runner_options *options, const struct runner_callbacks *callbacks);

/* Begins with the selected steps. The action is the caller's and must live until done or
 * interrupted. No callback comes before this returns. 0, -EPERM when readonly, -ENOTSUP for
 * sessions through a pooler, -EBUSY while another action runs, -EINVAL when nothing is selected,
 * -EIO when the audit log cannot be written and the action is not `unaudited`. */
int runner_begin(struct runner *runner, struct action *action) __attribute__((warn_unused_result));

/* Why runner_begin() returned this, for people; NULL for 0 and -EIO, which audit_error() explains.
 */
const char *runner_refusal(int result);

bool runner_busy(const struct runner *runner);

/* Stops the action that runs: nothing more is begun. Each step without a result gets one, also in
 * the audit log, that says what was done. No callback is called. The runner is of no further use:
 * free it. Does nothing if no action runs. */
void runner_interrupt(struct runner *runner);

/* The same, and frees it. NULL is allowed. The handles close in the loop's next turns: run it until
 * it is empty. */
void runner_free(struct runner *runner);

#endif
