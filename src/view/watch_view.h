/* The shutdown watch: the events since the first sign of an end, how many connections were left
 * after each, and the verdict. */
#ifndef VIEW_WATCH_VIEW_H
#define VIEW_WATCH_VIEW_H

#include "widgets/ui.h"

struct frame;

/* Draws ui->watch; nothing if it is NULL. */
extern const struct view watch_view;

/* Draws the question that Ctrl-C asks while a watch is armed. */
extern const struct view quit_view;

/* Draws "watching python3 4312: armed" in the line above the table while the screen is closed. */
void watch_view_draw_state(const struct frame *frame, int y);

#endif
