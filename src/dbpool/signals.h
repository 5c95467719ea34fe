/* SIGINT and SIGTERM. */
#ifndef DBPOOL_SIGNALS_H
#define DBPOOL_SIGNALS_H

#include <stdbool.h>

/* Handles the signals until signals_stop(); may be called several times. `shut_down` is called in a
 * thread of its own. Returns 0 or a negative errno. */
int signals_start(void (*shut_down)(void));
void signals_stop(void);
/* "SIGINT", "SIGTERM", "SIGINT and SIGTERM": which of them the process ignores; NULL: none. */
const char *signals_ignored(void);
/* In a forked child: removes the parent's handlers and closes its pipe. */
void signals_forked(void);
/* True while the process is about to end by a signal. */
bool signals_are_ending(void);

#endif
