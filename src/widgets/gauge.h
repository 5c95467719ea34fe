/* The two graphs of the header: how full the server is, and how that changed. */
#ifndef WIDGETS_GAUGE_H
#define WIDGETS_GAUGE_H

#include <stdint.h>

#include "widgets/grid.h"

struct grid;
struct history;
struct slots;

/* All slots in `width` cells: used, leaked, free, reserved, each with a glyph and a style of its
 * own. A number that is not zero gets at least one cell. Draws nothing if the slots are not
 * known. */
void gauge_slots(struct grid *grid, int x, int y, int width, const struct slots *slots);

enum gauge_what {
	GAUGE_BOTH, /* the used slots, in the style of leaks where some were leaked */
	GAUGE_USED,
	GAUGE_LEAKED,
};

/* The used slots of the last `span` µs before `now`, one cell for each bucket; `max` is full
 * height. The graph of leaked slots is blank where there were none. */
void gauge_history(struct grid *grid, struct rect where, const struct history *history,
	enum gauge_what what, int max, int64_t now, int64_t span);

#endif
