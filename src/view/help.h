/* The help page: the app's keys, and what the signs on the screen mean. */
#ifndef VIEW_HELP_H
#define VIEW_HELP_H

#include "widgets/ui.h"

extern const struct view help_view;

#endif
