/* Carries an emergency out: free a slot if there is no connection, stop the application's
 * processes, end the sessions they leave behind, count until it is clean or time is up.
 *
 * A fresh assessment comes before each phase, and on a full server before each process. It may show
 * that a process of the plan is to be left alone, or that one whose name was not known is the
 * application's. A process that was not in the plan is never stopped. */
#ifndef ACTION_EMERGENCY_RUN_H
#define ACTION_EMERGENCY_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct assessment;
struct audit;
struct emergency;
struct action_step;
struct patterns;
struct emergency_run;
struct session;

struct emergency_run_options {
	bool readonly;                       /* nothing is ever signalled or sent */
	const char *proc_root;               /* "/proc" */
	struct audit *audit;                 /* borrowed; NULL: none */
	const struct patterns *applications; /* emergency.applications; borrowed */
};

struct emergency_run_callbacks {
	void *data;
	/* Asks for a plan from an assessment that begins now. It is handed to
	 * emergency_run_assessed(), after this call has returned. */
	void (*assess)(void *data);
	/* A phase, a process or a session has changed. process: that one, or NULL. May be
	 * NULL. */
	void (*progress)(void *data, const struct action_step *step);
	/* It is over: emergency->phase is EMERGENCY_DONE. */
	void (*done)(void *data);
};

/* Never NULL. The session is borrowed and must outlive it. */
struct emergency_run *emergency_run_new(uv_loop_t *loop, struct session *session,
	const struct emergency_run_options *options,
	const struct emergency_run_callbacks *callbacks);

/* Begins with the plan, which is the caller's and must live until done. 0, -EPERM when readonly,
 * -ENOTSUP through a pooler, -EBUSY while another is carried out, -EIO when the audit log cannot be
 * written and the emergency is not `unaudited`. */
int emergency_run_begin(struct emergency_run *run, struct emergency *emergency)
	__attribute__((warn_unused_result));

bool emergency_run_busy(const struct emergency_run *run);

/* Both are borrowed for the call. */
void emergency_run_assessed(struct emergency_run *run, const struct emergency *fresh,
	const struct assessment *assessment);

/* Nothing more is signalled or sent; the emergency says what was done. done is not
 * called. The run is of no further use: free it. */
void emergency_run_interrupt(struct emergency_run *run);

/* NULL is allowed. The handles close in the loop's next turns: run it until it is empty. */
void emergency_run_free(struct emergency_run *run);

#endif
