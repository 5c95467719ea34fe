/* The two pictures of the header: how full the server is, and how it came to be. */
#ifndef VIEW_GAUGE_H
#define VIEW_GAUGE_H

#include <stdint.h>

#include "view/grid.h"

struct grid;
struct history;
struct slots;

/* All slots in `width` cells: used, leaked, free, reserved, each with a glyph and a style of its
 * own. What is not zero has one cell at least. Nothing when the slots are not known. */
void gauge_slots(struct grid *grid, int x, int y, int width, const struct slots *slots);

enum gauge_what {
	GAUGE_BOTH, /* those used, in the style of leaks where there were some */
	GAUGE_USED,
	GAUGE_LEAKED,
};

/* The slots used over the last `span` µs before `now`, one cell a bucket, `max` is full height;
 * of those that were leaked nothing stands where there were none. */
void gauge_history(struct grid *grid, struct rect where, const struct history *history,
	enum gauge_what what, int max, int64_t now, int64_t span);

#endif
