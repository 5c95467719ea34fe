/* The bottom line: what can be pressed, or what is being typed. */
#ifndef VIEW_KEYBAR_H
#define VIEW_KEYBAR_H

#include "view/ui.h"

struct frame;

/* The keys of a page in `width` columns from x on; `count` replaces # in their labels. With room
 * for the labels, else fewer keys, else keys alone. Returns the columns used. */
int keybar_draw(const struct frame *frame, int x, int y, int width, enum page page, size_t count);

/* The columns the page's keys take with all their labels. */
int keybar_width(const struct frame *frame, enum page page, size_t count);

/* The filter being typed. */
void keybar_draw_filter(const struct frame *frame, int y);

#endif
