/* The bottom line: the keys, or the filter while it is typed. */
#ifndef WIDGETS_KEYBAR_H
#define WIDGETS_KEYBAR_H

#include "widgets/ui.h"

struct frame;

/* Draws the keys of the screen on top in `width` columns from x on; `count` replaces # in their
 * labels. If there is not enough room, it leaves out keys, then all labels. Returns the columns
 * used. */
int keybar_draw(const struct frame *frame, int x, int y, int width, size_t count);

/* The width of the keys with all their labels. */
int keybar_width(const struct frame *frame, size_t count);

/* Draws the bottom line of a whole screen, unless another view is on top: the filter that is being
 * typed, the notice, or the keys. `view` is NULL for the table. */
void keybar_draw_line(const struct frame *frame, const struct view *view, int y, size_t count);

#endif
