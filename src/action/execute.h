/* Carries out a plan, without blocking: every target is signalled first, then all of them are
 * watched until they are gone, so that one stuck session does not hold up the others. */
#ifndef ACTION_EXECUTE_H
#define ACTION_EXECUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct action;
struct audit;
struct executor;
struct session;

#define EXECUTE_DEADLINE_DEFAULT (INT64_C(5) * 1000000)

struct execute_options {
	bool readonly;       /* nothing is ever sent */
	int64_t deadline;    /* µs: for each answer, and for all sessions to be gone */
	struct audit *audit; /* borrowed; NULL: none */
};

struct execute_callbacks {
	void *data;
	/* A target has its result. May be NULL. */
	void (*progress)(void *data);
	/* Each selected target has one. The executor is ready for the next plan, and may be freed.
	 */
	void (*done)(void *data);
};

/* Never NULL. The session is borrowed and must outlive it. */
struct executor *execute_new(uv_loop_t *loop, struct session *session,
	const struct execute_options *options, const struct execute_callbacks *callbacks);

/* Begins with the plan's selected targets; results and details are written into the plan, which is
 * the caller's and must live until done or interrupted. No callback comes before this returns. 0,
 * -EPERM when readonly, -ENOTSUP through a pooler, -EBUSY while another plan runs, -EINVAL when
 * nothing is selected, -EIO when the audit log cannot be written and the plan is not `unaudited`.
 */
int execute_run(struct executor *executor, struct action *plan) __attribute__((warn_unused_result));

bool execute_busy(const struct executor *executor);

/* Gives up the plan under way: what was not sent yet never will be. Each target without a result
 * gets one, in the plan and in the audit log, that says how far it came. Callbacks are not called.
 * Does nothing at rest. */
void execute_interrupt(struct executor *executor);

/* The same, and frees it. NULL is allowed. The handle closes in the loop's next turns: run it until
 * it is empty. */
void execute_free(struct executor *executor);

#endif
