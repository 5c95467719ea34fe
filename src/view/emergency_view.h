/* The emergency: which processes would be stopped and which are left alone; then each step with its
 * targets. */
#ifndef VIEW_EMERGENCY_VIEW_H
#define VIEW_EMERGENCY_VIEW_H

#include "view/ui.h"

/* Both draw ui->emergency; NULL: the processes are still being assessed. The first asks for
 * ui->word. */
extern const struct view emergency_view;
extern const struct view emergency_run_view;

#endif
