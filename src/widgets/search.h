/* Moving in the table: from match to match, and following one connection. */
#ifndef WIDGETS_SEARCH_H
#define WIDGETS_SEARCH_H

#include <stdbool.h>

struct assessment;
struct filter;
struct ui_state;

/* Moves to the next (1) or previous (−1) connection that matches the last filter; wraps around at
 * the end of the table. */
void search_go(struct ui_state *ui, const struct assessment *assessment, int direction);

/* The filter whose matches are underlined: the current one, or the one that is searched for; NULL
 * for neither. */
const struct filter *search_marked(const struct ui_state *ui);

/* Begins to follow the connection under the cursor until it ends; a notice says when it ends. A
 * second call stops following. */
void search_toggle_follow(struct ui_state *ui);

/* Called once for each refresh: checks whether the followed connection still exists. */
void search_check_followed(struct ui_state *ui, const struct assessment *assessment);

#endif
