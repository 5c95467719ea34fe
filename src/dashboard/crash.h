/* After a crash the terminal must be usable, and the demo's server must not be left behind. */
#ifndef DASHBOARD_CRASH_H
#define DASHBOARD_CRASH_H

/* Before the program dies by a signal that it caused itself, calls `restore`, which must be
 * async-signal-safe. Then it dies by that signal, with a core as usual. */
void crash_install(void (*restore)(void));

#endif
