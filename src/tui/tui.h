/* The terminal. It shows grids, and writes only the cells that changed. There is only one, because
 * ncurses supports only one. */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include <stdbool.h>

struct grid;
struct theme;
struct tui;

/* Opens the terminal: standard input and output, or /dev/tty if they are not a terminal. The theme
 * is copied; NO_COLOR in the environment keeps only its attributes. Signal handlers are not
 * changed. Returns 0, -ENOTTY without a terminal, -ENOTSUP if its type (TERM) is unknown or cannot
 * move the cursor; any other negative errno is of opening it. */
int tui_new(const struct theme *theme, struct tui **ret_tui) __attribute__((warn_unused_result));

/* Restores the terminal. NULL is allowed. */
void tui_free(struct tui *tui);

/* To poll: readable when there is input. Non-blocking; the descriptor is not shared. */
int tui_fd(const struct tui *tui);

/* To poll while tui_is_waiting(): writable when the terminal accepts output again. */
int tui_output_fd(const struct tui *tui);

/* Whether output waits for the terminal: a frame was not sent completely. Draw no other frame until
 * tui_flush() has sent it. */
bool tui_is_waiting(const struct tui *tui);
void tui_flush(struct tui *tui);

void tui_size(const struct tui *tui, int *ret_width, int *ret_height);

/* Whether the locale has ASCII only: then grids should contain nothing else. */
bool tui_is_ascii(const struct tui *tui);

/* Requests mouse buttons and the wheel as input. The terminal's own selection then needs Shift. */
void tui_use_mouse(struct tui *tui);

/* Sets the window's title, if the terminal supports it; the old title is restored at the end. */
void tui_set_title(struct tui *tui, const char *title);

void tui_ring(struct tui *tui);

/* Asks the terminal to put the text on the clipboard (OSC 52), which not every terminal supports. A
 * text longer than 74,000 bytes is cut. */
void tui_copy(struct tui *tui, const char *text);

void tui_set_theme(struct tui *tui, const struct theme *theme);

/* Shows the grid. Only changes are written: an unchanged grid writes nothing. */
void tui_draw(struct tui *tui, const struct grid *grid);

/* Writes the next grid completely, because the screen may show something else. */
void tui_redraw(struct tui *tui);

/* Call it after SIGWINCH: reads the terminal's size. */
void tui_resize(struct tui *tui);

/* Call the first before stopping (SIGTSTP): it restores the terminal. Call the second after
 * SIGCONT. */
void tui_suspend(struct tui *tui);
void tui_resume(struct tui *tui);

/* Restores the terminal from a signal handler: async-signal-safe; does nothing without a tui. */
void tui_crash_restore(void);

#endif
