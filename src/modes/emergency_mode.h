/* --emergency: the plan, the question, the act and the report, without a screen. */
#ifndef MODES_EMERGENCY_MODE_H
#define MODES_EMERGENCY_MODE_H

struct app;

/* The word that is asked for, on the terminal and on the screen. */
#define EMERGENCY_WORD "stop"

/* Returns the exit status. */
int emergency_mode_run(struct app *app);

#endif
