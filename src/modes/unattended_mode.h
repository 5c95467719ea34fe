/* --guard and --metrics: stay, and ask nobody. */
#ifndef MODES_UNATTENDED_MODE_H
#define MODES_UNATTENDED_MODE_H

struct app;

/* Returns the exit status. */
int unattended_mode_run(struct app *app);

#endif
