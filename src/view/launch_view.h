/* The proxy's start: the plan, then the result. */
#ifndef VIEW_LAUNCH_VIEW_H
#define VIEW_LAUNCH_VIEW_H

struct frame;

/* Draws ui->launch. */
void launch_view_draw(const struct frame *frame);

#endif
