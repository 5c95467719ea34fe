/* Asks for a password. The screen shows the number of characters, never the characters. */
#ifndef VIEW_PASSWORD_H
#define VIEW_PASSWORD_H

#include "widgets/ui.h"

extern const struct view password_view;

#endif
