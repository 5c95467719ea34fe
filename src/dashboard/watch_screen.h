/* w, --watch: the shutdown watch on the screen. */
#ifndef DASHBOARD_WATCH_SCREEN_H
#define DASHBOARD_WATCH_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dashboard;
struct plan_session;
struct watch_screen;

/* Never returns NULL. The dashboard must have its target, and outlive the result. */
struct watch_screen *watch_screen_new(struct dashboard *dashboard);

/* NULL is allowed here and below. The handles close in the loop's next iterations. */
void watch_screen_free(struct watch_screen *screen);

/* Arms the watch for this process, replaces an earlier watch, and opens the screen. Returns 0 or
 * -ESRCH. */
int watch_screen_arm(struct watch_screen *screen, int32_t pid);

/* While a watch is armed, Ctrl+C may be meant for the application: opens the question, and returns
 * true. Returns false if there is nothing to ask, or the question is open already. */
bool watch_screen_asks_to_leave(struct dashboard *dashboard);

#endif
