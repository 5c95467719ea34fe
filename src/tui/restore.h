/* How to give the terminal back when all else is lost: prepared in advance, because a signal
 * handler may neither allocate nor ask terminfo. */
#ifndef TUI_RESTORE_H
#define TUI_RESTORE_H

#include <termios.h>

/* To be told before the terminal is changed; fd stays open as long as it is armed. */
void restore_save(int fd);

/* After ncurses has read the terminal's description. */
void restore_arm(void);
/* Written before all else. */
void restore_add(const char *sequence);
void restore_disarm(void);

/* Async-signal-safe. */
void restore_now(void);

#endif
