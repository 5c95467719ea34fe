/* The plan: what will be ended, cancelled, started or removed, why, and what is lost with it; then
 * the results. */
#ifndef VIEW_PLAN_H
#define VIEW_PLAN_H

#include "widgets/ui.h"

/* Both draw frame->plan. */
extern const struct view plan_view;
extern const struct view results_view;

#endif
