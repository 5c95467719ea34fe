/* A message: a few sentences to be read and closed. */
#ifndef VIEW_MESSAGE_H
#define VIEW_MESSAGE_H

#include <stddef.h>

struct dialog;
struct frame;
struct grid;

/* The bytes of text that make the next line of at most `width` columns, broken at a blank where
 * there is one; *ret_skip is where the line after it begins. A line break ends a line. */
size_t message_wrap(const struct grid *grid, const char *text, int width, size_t *ret_skip);

/* A text in a dialog, of which lines, data and draw_line are set here. */
void message_draw_text(const struct frame *frame, struct dialog *dialog, const char *text);

/* ui->message. */
void message_draw(const struct frame *frame);

#endif
