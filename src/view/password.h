/* Asks for a password. The screen shows the number of characters, never the characters. */
#ifndef VIEW_PASSWORD_H
#define VIEW_PASSWORD_H

struct frame;

void password_draw(const struct frame *frame);

#endif
