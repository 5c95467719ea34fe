/* The pools panel: the fullest pools, who waits, and what is wrong with the sources that tell of
 * them. */
#ifndef VIEW_POOLS_H
#define VIEW_POOLS_H

struct assessment;
struct frame;

/* How many lines there is something for. */
int pools_lines(const struct assessment *assessment);

/* Draws at most `lines` of them from y on; what has no room is counted at the end of the last one.
 * Returns how many it took. */
int pools_draw(const struct frame *frame, int y, int lines);

#endif
