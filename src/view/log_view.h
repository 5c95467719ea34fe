/* A screen of dated lines, newest first: the actions, or the errors. */
#ifndef VIEW_LOG_VIEW_H
#define VIEW_LOG_VIEW_H

#include <stdint.h>

#include "model/style.h"

struct frame;
struct ui_state;

/* Opens the screen without lines; both strings are copied. */
void log_view_open(struct ui_state *ui, const char *title, const char *empty);
/* Adds a line that is older than the last one. The text is copied and must be clean. */
void log_view_add(struct ui_state *ui, int64_t at, enum style style, const char *text);

void log_view_draw(const struct frame *frame);

#endif
