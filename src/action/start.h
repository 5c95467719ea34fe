/* Starts a command from the configuration, without a shell, and waits until it is seen to stay. */
#ifndef ACTION_START_H
#define ACTION_START_H

#include <uv.h>

#include "action/steps.h"

struct action;
struct starter;

/* Never NULL. */
struct starter *start_new(uv_loop_t *loop, const struct step_callbacks *callbacks);

/* Begins with one command of the action. Both must live until the step has its result, or the
 * starter is interrupted. */
void start_begin(struct starter *starter, struct action *action, struct action_step *step);

/* A command that was started and not yet seen to stay gets its result. It keeps running. */
void start_interrupt(struct starter *starter);

/* A command that was started keeps running. The handles close in the loop's next turns. NULL is
 * allowed. */
void start_free(struct starter *starter);

#endif
