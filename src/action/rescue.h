/* Carries an emergency out: free a slot if there is no connection, stop the application's
 * processes, end the sessions they leave behind, count until it is clean or time is up.
 *
 * It looks before each step: what its surveys bring can spare a process of the plan, or tell that
 * one left open is the application's after all; a process that nobody was shown is never stopped.
 */
#ifndef ACTION_RESCUE_H
#define ACTION_RESCUE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct assessment;
struct audit;
struct emergency;
struct emergency_process;
struct patterns;
struct rescue;
struct session;

struct rescue_options {
	bool readonly;                       /* nothing is ever signalled or sent */
	const char *proc_root;               /* "/proc" */
	struct audit *audit;                 /* borrowed; NULL: none */
	const struct patterns *applications; /* emergency.applications; borrowed */
};

struct rescue_callbacks {
	void *data;
	/* Bring a plan made from a look that begins now: rescue_surveyed(). Later, not from within
	 * this call. */
	void (*survey)(void *data);
	/* A phase, a process or a session has something new. process: that one, or NULL. May be
	 * NULL. */
	void (*progress)(void *data, const struct emergency_process *process);
	/* It is over: emergency->phase is EMERGENCY_DONE. */
	void (*done)(void *data);
};

/* Never NULL. The session is borrowed and must outlive it. */
struct rescue *rescue_new(uv_loop_t *loop, struct session *session,
	const struct rescue_options *options, const struct rescue_callbacks *callbacks);

/* Begins with the plan, which is the caller's and must live until done. 0, -EPERM when readonly,
 * -ENOTSUP through a pooler, -EBUSY while another is carried out, -EIO when the audit log cannot be
 * written and the emergency is not `unaudited`. */
int rescue_run(struct rescue *rescue, struct emergency *emergency)
	__attribute__((warn_unused_result));

bool rescue_busy(const struct rescue *rescue);

/* Both are borrowed for the call. */
void rescue_surveyed(
	struct rescue *rescue, const struct emergency *fresh, const struct assessment *assessment);

/* Nothing more is signalled or sent; the emergency tells what was done. done is not
 * called. The rescue is of no further use: free it. */
void rescue_interrupt(struct rescue *rescue);

/* NULL is allowed. The handles close in the loop's next turns: run it until it is empty. */
void rescue_free(struct rescue *rescue);

#endif
