/* The dashboard's screen for removing the stats pages of dead processes: plan, confirmation,
 * result. */
#ifndef DASHBOARD_CLEARING_SCREEN_H
#define DASHBOARD_CLEARING_SCREEN_H

struct clearing_screen;
struct dashboard;

/* Never returns NULL. */
struct clearing_screen *clearing_screen_new(struct dashboard *dashboard);
/* NULL is allowed. */
void clearing_screen_free(struct clearing_screen *screen);

/* Opens the plan, or a notice that says why there is none. */
void clearing_screen_plan(struct clearing_screen *screen);
/* Called when the plan is confirmed: removes the pages and shows the results. */
void clearing_screen_confirm(struct clearing_screen *screen);

#endif
