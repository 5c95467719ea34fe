/* The header: which server, how full, how many leaked. */
#ifndef VIEW_HEADER_H
#define VIEW_HEADER_H

struct frame;

/* Draws the server, its slots and its connections, from line y on. */
void header_draw(const struct frame *frame, int y);

/* The numbers and a small gauge in one line, for small screens. */
void header_draw_line(const struct frame *frame, int y);

/* The numbers alone, in as few words as possible, for the smallest screens. */
void header_draw_numbers(const struct frame *frame);

#endif
