/* --demo: the dashboard on a private server with a leaking application, and limits of seconds. */
#ifndef DASHBOARD_DEMO_MODE_H
#define DASHBOARD_DEMO_MODE_H

struct app;

/* Returns the exit status: the dashboard's, or 3 when there is no such server. */
int demo_mode_run(struct app *app);

#endif
