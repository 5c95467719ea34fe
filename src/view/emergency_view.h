/* The emergency: who would be stopped and who is left alone; then each step with its targets. */
#ifndef VIEW_EMERGENCY_VIEW_H
#define VIEW_EMERGENCY_VIEW_H

struct frame;

/* ui->emergency; NULL: still looking. The first asks for ui->word. */
void emergency_view_draw_plan(const struct frame *frame);
void emergency_view_draw_run(const struct frame *frame);

#endif
