/* The screen for removing the stats pages of dead processes: the plan, then the results. */
#ifndef VIEW_CLEARING_VIEW_H
#define VIEW_CLEARING_VIEW_H

struct frame;

/* Draws ui->clearing, on SCREEN_CLEAR or SCREEN_CLEAR_RUN. */
void clearing_view_draw(const struct frame *frame);

#endif
