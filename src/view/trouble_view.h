/* What is wrong, on the screen. Both return the lines they took. */
#ifndef VIEW_TROUBLE_VIEW_H
#define VIEW_TROUBLE_VIEW_H

struct frame;

/* Above the rows that there are: a line each, in up to `lines`. */
int trouble_view_draw(const struct frame *frame, int x, int y, int lines);

/* Instead of them: whole sentences. */
int trouble_view_draw_page(const struct frame *frame, int x, int y, int lines);

#endif
