/* Draws what is wrong. Both functions return the number of lines that they used. */
#ifndef VIEW_TROUBLE_VIEW_H
#define VIEW_TROUBLE_VIEW_H

struct frame;

/* Above the rows: one line for each problem, at most `lines`. */
int trouble_view_draw(const struct frame *frame, int x, int y, int lines);

/* When there are no rows: whole sentences. */
int trouble_view_draw_page(const struct frame *frame, int x, int y, int lines);

#endif
