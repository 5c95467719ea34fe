/* --kill-leaked: plan, question, act, result. */
#ifndef MODES_KILL_MODE_H
#define MODES_KILL_MODE_H

struct app;

/* Returns the exit status. */
int kill_mode_run(struct app *app);

#endif
