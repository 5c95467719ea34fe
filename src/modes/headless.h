/* The modes without a screen: --once, --json, --kill-leaked, --emergency. */
#ifndef MODES_HEADLESS_H
#define MODES_HEADLESS_H

struct app;

/* Returns the exit status of options.h. */
int headless_run(struct app *app);

#endif
