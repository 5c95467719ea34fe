/* The pools panel: the fullest pools, which clients wait, and the errors of the sources. */
#ifndef VIEW_POOLS_H
#define VIEW_POOLS_H

struct frame;

/* Draws at most `lines` of them from y on; the end of the last one says how many more there are.
 * Returns how many it drew. */
int pools_draw(const struct frame *frame, int y, int lines);

#endif
