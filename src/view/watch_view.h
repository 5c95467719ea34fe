/* The shutdown watch: what happened since the first sign, how many connections were left after it,
 * and the verdict. */
#ifndef VIEW_WATCH_VIEW_H
#define VIEW_WATCH_VIEW_H

struct frame;

/* ui->watch; nothing without one. */
void watch_view_draw(const struct frame *frame);

/* The question that Ctrl-C asks while a watch is armed. */
void watch_view_draw_quit(const struct frame *frame);

/* "watching python3 4312: armed" in the rule above the table, while the page is closed. */
void watch_view_draw_state(const struct frame *frame, int y);

#endif
