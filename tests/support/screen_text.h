/* A grid as text: what golden screens are compared with, and what people look at. */
#ifndef SUPPORT_SCREEN_TEXT_H
#define SUPPORT_SCREEN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "widgets/ui.h"

struct action;
struct assessment;
struct grid;
struct history;

/* One line for each row, without blanks at its end. The caller frees it. */
char *screen_text(const struct grid *grid);

/* The same with colours (ANSI), roughly as the default theme has them. */
char *screen_text_colored(const struct grid *grid);

/* A plan to end everything leaked in the assessment, the presumed ones unticked. With `done`, its
 * outcome: one of each result. */
struct action *screen_plan(const struct assessment *assessment, bool done);

/* Draws a frame as the dashboard does: brings the state up to date before and after it. */
void screen_show(const struct assessment *assessment, const struct history *history,
	struct ui_state *ui, const struct action *plan, int width, int height, struct grid *grid);

/* Keys like the app's. */
extern const struct key_help screen_keys[];
extern const size_t n_screen_keys;

#endif
