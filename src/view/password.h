/* Asking for a password: how many characters there are is seen, and nothing of them. */
#ifndef VIEW_PASSWORD_H
#define VIEW_PASSWORD_H

struct frame;

void password_draw(const struct frame *frame);

#endif
