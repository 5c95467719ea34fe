/* What each frame settles of the user's state: the rows, the cursor's place among them, and what
 * changed since the refresh before. */
#ifndef VIEW_SETTLE_H
#define VIEW_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

struct assessment;
struct connection;
struct ui_state;

/* Takes over a new assessment, builds the rows and keeps the cursor on the same connection; when it
 * is gone, on the row that took its place. */
void settle_rows(struct ui_state *ui, const struct assessment *assessment);

/* Scrolls so that the cursor is among the page_rows that are shown. */
void settle_scroll(struct ui_state *ui, size_t page_rows);

/* The first of `shown` lines that keeps the cursor on the page, as near as can be to `first`. */
size_t settle_first(size_t first, size_t cursor, size_t shown, size_t lines);

/* Whether the connection is new, or its status differs from the refresh before. */
bool settle_has_changed(const struct ui_state *ui, const struct connection *connection);

#endif
