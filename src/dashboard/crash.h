/* A crash must not leave the terminal unusable, nor the demo's server behind. */
#ifndef DASHBOARD_CRASH_H
#define DASHBOARD_CRASH_H

/* Calls restore, which must be async-signal-safe, when the program is about to die by a signal of
 * its own making; then dies by that signal, with a core as usual. */
void crash_install(void (*restore)(void));

#endif
