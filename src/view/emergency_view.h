/* The emergency: which processes would be stopped and which are left alone; then each step with its
 * targets. */
#ifndef VIEW_EMERGENCY_VIEW_H
#define VIEW_EMERGENCY_VIEW_H

#include <stddef.h>

#include "widgets/ui.h"

struct action_step;
struct frame;

/* Both draw ui->emergency; NULL: the processes are still being assessed. The first asks for
 * ui->word. */
extern const struct view emergency_view;
extern const struct view emergency_run_view;

/* The process or the session in a line of the plan, as the frame shows it; NULL: none. */
const struct action_step *emergency_view_step(const struct frame *frame, size_t line);

#endif
