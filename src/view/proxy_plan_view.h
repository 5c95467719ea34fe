/* The plan to start or restart the proxy, then its results, as a list of facts: a command and a
 * path are too long for the columns of view/plan. */
#ifndef VIEW_PROXY_PLAN_VIEW_H
#define VIEW_PROXY_PLAN_VIEW_H

#include <stdbool.h>

struct frame;

/* Draws frame->plan: before it is confirmed (`planned`), or its results. */
void proxy_plan_view_draw(const struct frame *frame, bool planned);

#endif
