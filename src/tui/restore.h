/* Restores the terminal after a crash. The bytes are prepared in advance, because a signal handler
 * may neither allocate nor query terminfo. */
#ifndef TUI_RESTORE_H
#define TUI_RESTORE_H

#include <termios.h>

/* Call it before the terminal is changed; fd must stay open until it is disarmed. */
void restore_save(int fd);

/* Call it after ncurses has read the terminal's description. */
void restore_arm(void);
/* Adds bytes that are written first. */
void restore_add(const char *sequence);
void restore_disarm(void);

/* Sets the modes that restore_save() read. */
void restore_modes(void);

/* Writes the bytes and sets the modes. Async-signal-safe. It does not wait for a terminal that does
 * not read: earlier output that was not read is dropped then. */
void restore_now(void);

#endif
