/* Draws a whole frame, at any size. */
#ifndef VIEW_SCREEN_H
#define VIEW_SCREEN_H

struct action;
struct assessment;
struct grid;
struct history;
struct ui_state;

/* Draws the frame into the grid, which it resizes. history may be NULL; plan is NULL unless one of
 * the plan's screens is open. Updates ui's selection and scrolling: see view/settle.h. */
void screen_build(const struct assessment *assessment, const struct history *history,
	struct ui_state *ui, const struct action *plan, int width, int height, struct grid *grid);

#endif
