/* --shutdown-test: starts a command, signals it, and judges what the command leaves. */
#ifndef MODES_SHUTDOWN_TEST_H
#define MODES_SHUTDOWN_TEST_H

struct app;

/* Returns the exit status of options.h; 128 + n after a signal. */
int shutdown_test_run(struct app *app);

#endif
