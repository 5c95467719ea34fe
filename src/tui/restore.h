/* How to give the terminal back when all else is lost: prepared in advance, because a signal
 * handler may neither allocate nor ask terminfo. */
#ifndef TUI_RESTORE_H
#define TUI_RESTORE_H

#include <termios.h>

/* To be told before the terminal is changed; fd stays open as long as it is armed. */
void restore_save(int fd);

/* After ncurses has read the terminal's description. */
void restore_arm(void);
/* Written before the others. */
void restore_add(const char *sequence);
void restore_disarm(void);

/* Sets the modes that restore_save() read. */
void restore_modes(void);

/* The bytes and the modes. Async-signal-safe, and does not wait for a terminal that reads nothing:
 * what was sent to it before and not read yet is dropped then. */
void restore_now(void);

#endif
