/* Finding one's way in the table: from match to match, and after one connection. */
#ifndef VIEW_SEARCH_H
#define VIEW_SEARCH_H

#include <stdbool.h>

struct assessment;
struct filter;
struct ui_state;

/* To the next connection (1) or the one before (−1) that matches what was filtered by last, round
 * the end of the table. */
void search_go(struct ui_state *ui, const struct assessment *assessment, int direction);

/* What is marked in the table: the filter, or what is being searched for; NULL for neither. */
const struct filter *search_marked(const struct ui_state *ui);

/* Keeps the cursor on this connection until it ends, which is told; again: lets it go. */
void search_toggle_follow(struct ui_state *ui);

/* Once a refresh: whether the one that is followed is still there. */
void search_check_followed(struct ui_state *ui, const struct assessment *assessment);

#endif
