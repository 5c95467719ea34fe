/* --once and --json: reports one assessment, or one after the other. */
#ifndef MODES_REPORT_MODE_H
#define MODES_REPORT_MODE_H

struct app;

/* Returns the exit status: that of the last report. */
int report_mode_run(struct app *app);

#endif
