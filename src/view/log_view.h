/* A page of dated lines, the newest first: what was done, or what was met. */
#ifndef VIEW_LOG_VIEW_H
#define VIEW_LOG_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "model/style.h"

struct arena;
struct frame;
struct ui_state;

struct log_line {
	int64_t at; /* wall clock */
	enum style style;
	const char *text;
};

/* The page's contents; it keeps them until it is opened again. */
struct log_view {
	struct arena *arena; /* owns everything here; NULL before the first time */
	const char *title;
	const char *empty; /* what stands there without a line */
	struct log_line *lines;
	size_t count, room;
};

void log_view_deinit(struct log_view *view);

/* Opens the page without lines; both strings are copied. */
void log_view_open(struct ui_state *ui, const char *title, const char *empty);
/* One line more, older than the last; the text is copied, and clean. */
void log_view_add(struct ui_state *ui, int64_t at, enum style style, const char *text);

void log_view_draw(const struct frame *frame);

#endif
