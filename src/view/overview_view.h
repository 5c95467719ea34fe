/* The screen of the overview: ui->overview. */
#ifndef VIEW_OVERVIEW_VIEW_H
#define VIEW_OVERVIEW_VIEW_H

#include "widgets/ui.h"

extern const struct view overview_view;

#endif
