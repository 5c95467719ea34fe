/* Removes stats pages, on a worker thread: a folder may hang. Each page is read again just before,
 * and stays unless it is still ours, that process's, and that process proven dead (page/reader.h).
 */
#ifndef ACTION_REMOVE_H
#define ACTION_REMOVE_H

#include <uv.h>

#include "action/steps.h"

struct action;
struct remover;

/* Never NULL. */
struct remover *remove_new(uv_loop_t *loop, const struct step_callbacks *callbacks);

/* Begins with all selected pages of the action, which must live until done, or until the remover is
 * interrupted. */
void remove_begin(struct remover *remover, struct action *action);

/* No further page is removed, and each gets its result. */
void remove_interrupt(struct remover *remover);

/* NULL is allowed. What the worker uses is freed when it is done: run the loop until it is empty.
 */
void remove_free(struct remover *remover);

#endif
