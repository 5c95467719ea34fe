/* The shutdown watch: the events since the first sign of an end, how many connections were left
 * after each, and the verdict. */
#ifndef VIEW_WATCH_VIEW_H
#define VIEW_WATCH_VIEW_H

struct frame;

/* Draws ui->watch; nothing if it is NULL. */
void watch_view_draw(const struct frame *frame);

/* Draws the question that Ctrl-C asks while a watch is armed. */
void watch_view_draw_quit(const struct frame *frame);

/* Draws "watching python3 4312: armed" in the line above the table while the screen is closed. */
void watch_view_draw_state(const struct frame *frame, int y);

#endif
