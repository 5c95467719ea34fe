/* The interactive run: its loop, from the first frame to the exit status. */
#ifndef DASHBOARD_RUN_H
#define DASHBOARD_RUN_H

struct app;

/* Returns the exit status: 0 after quitting, 128 + n after a signal, 3 without
 * a usable terminal. */
int dashboard_run(struct app *app);

#endif
