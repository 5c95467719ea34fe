/* The help page: the app's keys, and what the signs on the screen mean. */
#ifndef VIEW_HELP_H
#define VIEW_HELP_H

struct frame;

void help_draw(const struct frame *frame);

#endif
