/* The first line of the header: which server, what stands in between, how fresh the data is. */
#ifndef VIEW_TITLE_H
#define VIEW_TITLE_H

struct frame;

void title_draw(const struct frame *frame, int y);

#endif
