/* P: starting and restarting the local proxy: plan, confirmation, result. */
#ifndef DASHBOARD_PROXY_SCREEN_H
#define DASHBOARD_PROXY_SCREEN_H

#include <stdbool.h>

#include "model/launch.h"

struct dashboard;
struct proxy_screen;

/* Never returns NULL. The dashboard must have its target and its audit log, and
 * outlive the result. */
struct proxy_screen *proxy_screen_new(struct dashboard *dashboard);

/* Whether the proxy can be started or restarted; false for NULL. */
bool proxy_screen_can(const struct proxy_screen *screen, enum launch_kind kind);

/* Opens the plan's screen, or says on the proxy's screen why there is no plan. */
void proxy_screen_plan(struct proxy_screen *screen, enum launch_kind kind);

/* Carries out the plan that is shown. */
void proxy_screen_confirm(struct proxy_screen *screen);

/* Reports a launch that is interrupted by quitting: on the terminal, in the log and in the audit
 * log. */
void proxy_screen_report_interrupted(struct proxy_screen *screen);

/* A proxy that was started keeps running. The handles close in the loop's next iterations; NULL is
 * allowed. */
void proxy_screen_free(struct proxy_screen *screen);

#endif
