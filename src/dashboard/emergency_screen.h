/* E: the emergency on the screen. */
#ifndef DASHBOARD_EMERGENCY_SCREEN_H
#define DASHBOARD_EMERGENCY_SCREEN_H

#include <stdbool.h>

struct dashboard;
struct emergency_screen;

/* Never returns NULL. The dashboard must have its target and its audit log, and
 * outlive the result. */
struct emergency_screen *emergency_screen_new(struct dashboard *dashboard);

/* Opens the screen, and begins to assess which processes to stop. The processes
 * of the tagged rows, else of the row or group under the cursor, are ticked first; if there is none
 * that may be stopped, all are. */
void emergency_screen_open(struct emergency_screen *screen);

/* Whether the emergency is being carried out. */
bool emergency_screen_busy(const struct emergency_screen *screen);

/* If the emergency is running, stops it and prints what was done: the terminal must have been
 * restored. The handles close in the loop's next iterations. */
void emergency_screen_free(struct emergency_screen *screen);

#endif
