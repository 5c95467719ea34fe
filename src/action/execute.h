/* Ends the sessions of an action, or cancels their statements, without blocking: every session is
 * signalled first, then all of them are watched until they are gone, so that one stuck session does
 * not hold up the others. */
#ifndef ACTION_EXECUTE_H
#define ACTION_EXECUTE_H

#include <stdint.h>
#include <uv.h>

#include "action/steps.h"

struct action;
struct executor;
struct session;

/* deadline: µs, for each answer, and for all sessions to be gone. Never NULL. The session is
 * borrowed and must outlive it. */
struct executor *execute_new(uv_loop_t *loop, struct session *session, int64_t deadline,
	const struct step_callbacks *callbacks);

/* Begins with the selected steps, all of which are sessions. The action must live until done or
 * interrupted. */
void execute_begin(struct executor *executor, struct action *action);

/* Sends nothing more. Each session without a result gets one that says what was done. Does nothing
 * if no action runs. */
void execute_interrupt(struct executor *executor);

/* The same, and frees it. NULL is allowed. The handle closes in the loop's next turns: run it until
 * it is empty. */
void execute_free(struct executor *executor);

#endif
