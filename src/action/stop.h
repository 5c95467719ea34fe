/* Stops processes: SIGTERM, and SIGKILL after the grace, as the action says. Each process is held
 * by a pidfd from the check of its identity to its end, so that no signal can reach another process
 * that gets its pid. */
#ifndef ACTION_STOP_H
#define ACTION_STOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "action/steps.h"

struct action;
struct stopper;

/* How long a process may take to end after SIGKILL: it waits for a device, or a debugger stops it.
 */
#define STOP_KILL_DEADLINE (INT64_C(3) * 1000000)

/* proc_root: "/proc"; copied. Never NULL. */
struct stopper *stop_new(
	uv_loop_t *loop, const char *proc_root, const struct step_callbacks *callbacks);

/* Begins with one process of the action. Both must live until the step has its result, or the
 * stopper is interrupted. */
void stop_begin(struct stopper *stopper, struct action *action, struct action_step *step);

/* Whether a process that was signalled has no result yet. */
bool stop_busy(const struct stopper *stopper);

/* Nothing more is signalled. The result of a process that has not ended by now is "timeout", with
 * what was sent. */
void stop_interrupt(struct stopper *stopper);

/* Nothing more is signalled; steps without a result stay so. NULL is allowed. The handles close in
 * the loop's next turns: run it until it is empty. */
void stop_free(struct stopper *stopper);

#endif
