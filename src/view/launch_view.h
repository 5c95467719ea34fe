/* The proxy's start: what is about to be done, then what came of it. */
#ifndef VIEW_LAUNCH_VIEW_H
#define VIEW_LAUNCH_VIEW_H

struct frame;

/* Draws ui->launch. */
void launch_view_draw(const struct frame *frame);

#endif
