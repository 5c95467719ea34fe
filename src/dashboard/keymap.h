/* Which key runs which command on which screen. */
#ifndef DASHBOARD_KEYMAP_H
#define DASHBOARD_KEYMAP_H

#include <stddef.h>

#include "widgets/ui.h"

struct dashboard;
struct key_event;

/* The table for the key bar and the help, made from the keys of all screens. */
const struct key_help *keymap_help(size_t *ret_count);

/* Which keys of the screen on top work now: for ui_state.met. */
unsigned int keymap_met(const struct dashboard *dashboard);

/* Runs the command of the key on the screen on top, or of the place that was clicked; does nothing
 * if there is none. */
void keymap_press(struct dashboard *dashboard, const struct key_event *event);

#endif
