/* The data from which the parts of one frame are drawn. */
#ifndef WIDGETS_FRAME_H
#define WIDGETS_FRAME_H

#include <stdint.h>

struct action;
struct assessment;
struct grid;
struct history;
struct ui_shown;
struct ui_state;

#define HEADER_LINES 3 /* the height of the header, where it is drawn in full */

struct frame {
	struct grid *grid;
	const struct assessment *assessment;
	const struct history *history; /* may be NULL */
	const struct action *plan;     /* NULL unless there is a plan */
	const struct ui_state *ui;
	struct ui_shown *shown; /* filled by what is drawn */
	int64_t now;            /* wall clock */
};

#endif
