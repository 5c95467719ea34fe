/* A screen of dated lines, newest first: the actions, or the errors. */
#ifndef VIEW_LOG_VIEW_H
#define VIEW_LOG_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "model/style.h"
#include "widgets/ui.h"

struct log_line {
	int64_t at; /* wall clock */
	enum style style;
	const char *text;
};

/* The lines are kept until the screen is opened again. */
struct log_view {
	struct arena *arena; /* owns everything here; NULL before the first time */
	const char *title;
	const char *empty; /* shown if there are no lines */
	struct log_line *lines;
	size_t count, room;
};

/* Opens the screen without lines; both strings are copied. The ui borrows the view, which belongs
 * to the caller. */
void log_view_open(
	struct log_view *view, struct ui_state *ui, const char *title, const char *empty);
/* Adds a line that is older than the last one. The text is copied and must be clean. */
void log_view_add(struct log_view *view, int64_t at, enum style style, const char *text);

void log_view_deinit(struct log_view *view);

extern const struct view log_view;

#endif
