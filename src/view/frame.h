/* What the parts of one frame are drawn from. */
#ifndef VIEW_FRAME_H
#define VIEW_FRAME_H

#include <stdint.h>

struct action_plan;
struct assessment;
struct grid;
struct history;
struct ui_state;

struct frame {
	struct grid *grid;
	const struct assessment *assessment;
	const struct history *history;  /* may be NULL */
	const struct action_plan *plan; /* NULL without one */
	struct ui_state *ui;            /* settled while the frame is drawn */
	int64_t now;                    /* wall clock */
};

#endif
