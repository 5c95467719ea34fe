/* Draws a whole frame, at any size. */
#ifndef VIEW_SCREEN_H
#define VIEW_SCREEN_H

#include "widgets/ui.h"

struct action;
struct assessment;
struct grid;
struct history;

/* Draws the frame into the grid, which it resizes, and returns what it shows. history may be NULL,
 * and so may the assessment where a screen covers the table that needs none, as the overview;
 * plan is NULL unless one of the plan's screens is open. Before it the state is brought up to date
 * with the assessment by settle_rows(), and after it with the frame by ui_note_shown(). */
struct ui_shown screen_build(const struct assessment *assessment, const struct history *history,
	const struct ui_state *ui, const struct action *plan, int width, int height,
	struct grid *grid);

#endif
