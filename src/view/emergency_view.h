/* The emergency: which processes would be stopped and which are left alone; then each step with its
 * targets. */
#ifndef VIEW_EMERGENCY_VIEW_H
#define VIEW_EMERGENCY_VIEW_H

struct frame;

/* Both draw ui->emergency; NULL: the processes are still being assessed. The first asks for
 * ui->word. */
void emergency_view_draw_plan(const struct frame *frame);
void emergency_view_draw_run(const struct frame *frame);

#endif
