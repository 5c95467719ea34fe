/* A message: a few sentences that the user reads and closes. */
#ifndef VIEW_MESSAGE_H
#define VIEW_MESSAGE_H

#include <stddef.h>

struct dialog;
struct frame;
struct grid;

/* The bytes of text that make the next line of at most `width` columns, broken at a blank if
 * possible; *ret_skip is where the next line begins. A line break ends a line. */
size_t message_wrap(const struct grid *grid, const char *text, int width, size_t *ret_skip);

/* Shows a text in a dialog; sets its lines, data and draw_line. */
void message_draw_text(const struct frame *frame, struct dialog *dialog, const char *text);

/* Draws ui->message. */
void message_draw(const struct frame *frame);

#endif
