/* Updates the state of the ui before each frame: the rows, the cursor's row, and what changed since
 * the last refresh. */
#ifndef WIDGETS_SETTLE_H
#define WIDGETS_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

struct assessment;
struct connection;
struct ui_state;

/* Takes a new assessment, builds the rows and keeps the cursor on the same connection. If that is
 * gone, the cursor is on the row that took its place. */
void settle_rows(struct ui_state *ui, const struct assessment *assessment);

/* The first of `shown` lines for which the cursor is visible, as close to `first` as possible. */
size_t settle_first(size_t first, size_t cursor, size_t shown, size_t lines);

/* Whether the connection is new, or its status changed since the last refresh. */
bool settle_has_changed(const struct ui_state *ui, const struct connection *connection);

#endif
