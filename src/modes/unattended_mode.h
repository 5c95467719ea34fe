/* --guard and --metrics: run until they are ended, and never ask. */
#ifndef MODES_UNATTENDED_MODE_H
#define MODES_UNATTENDED_MODE_H

struct app;

/* Returns the exit status. */
int unattended_mode_run(struct app *app);

#endif
