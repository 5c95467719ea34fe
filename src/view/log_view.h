/* A page of dated lines, the newest first: what was done, or what was met. */
#ifndef VIEW_LOG_VIEW_H
#define VIEW_LOG_VIEW_H

#include <stdint.h>

#include "model/style.h"

struct frame;
struct ui_state;

/* Opens the page without lines; both strings are copied. */
void log_view_open(struct ui_state *ui, const char *title, const char *empty);
/* One line more, older than the last; the text is copied, and clean. */
void log_view_add(struct ui_state *ui, int64_t at, enum style style, const char *text);

void log_view_draw(const struct frame *frame);

#endif
