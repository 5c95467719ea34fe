/* --demo: the dashboard on a private server with a leaking application, with limits of a few
 * seconds. */
#ifndef DASHBOARD_DEMO_MODE_H
#define DASHBOARD_DEMO_MODE_H

struct app;

/* Returns the exit status: the dashboard's, or 3 if the server cannot be started. */
int demo_mode_run(struct app *app);

#endif
