/* The plan: what will be ended, cancelled, started or removed, why, and what is lost with it; then
 * the results. */
#ifndef VIEW_PLAN_H
#define VIEW_PLAN_H

struct frame;

/* Both draw frame->plan. */
void plan_draw(const struct frame *frame);
void plan_draw_results(const struct frame *frame);

#endif
