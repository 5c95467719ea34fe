/* The terminal: grids go out, only what changed of them. There is one, as ncurses has one. */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include <stdbool.h>

struct grid;
struct theme;
struct tui;

/* Takes over the terminal: standard input and output, or /dev/tty when they are something else.
 * The theme is copied; NO_COLOR in the environment leaves its attributes alone. Signals keep the
 * handlers they had. Returns 0, -ENOTTY without a terminal, -ENOTSUP when its type (TERM) is not
 * known, or cannot place text; any other negative errno is of opening it. */
int tui_new(const struct theme *theme, struct tui **ret_tui) __attribute__((warn_unused_result));

/* Gives the terminal back as it was. NULL is allowed. */
void tui_free(struct tui *tui);

/* For the loop: readable when there is input. Non-blocking; nobody else's descriptor is. */
int tui_fd(const struct tui *tui);

/* For the loop, while tui_is_waiting(): writable when the terminal takes output again. */
int tui_output_fd(const struct tui *tui);

/* Whether output waits for the terminal: a frame has not gone out completely. No other frame should
 * be drawn until tui_flush() has sent it. */
bool tui_is_waiting(const struct tui *tui);
void tui_flush(struct tui *tui);

void tui_size(const struct tui *tui, int *ret_width, int *ret_height);

/* The locale can write ASCII only: grids should hold nothing else. */
bool tui_is_ascii(const struct tui *tui);

/* The mouse's buttons and wheel are input from now on, and the terminal's own selection wants
 * Shift.
 */
void tui_use_mouse(struct tui *tui);

/* The window's title, where the terminal has one; the one it had comes back at the end. */
void tui_set_title(struct tui *tui, const char *title);

void tui_ring(struct tui *tui);

/* Asks the terminal to put the text on the clipboard (OSC 52); not every terminal does. A text of
 * more than 74,000 bytes is cut. */
void tui_copy(struct tui *tui, const char *text);

void tui_set_theme(struct tui *tui, const struct theme *theme);

/* Shows the grid. What it shows already is not written again: an unchanged grid is no byte. */
void tui_draw(struct tui *tui, const struct grid *grid);

/* The next grid is written as a whole: the screen was spoilt. */
void tui_redraw(struct tui *tui);

/* After SIGWINCH: asks the terminal for its size. */
void tui_resize(struct tui *tui);

/* Before stopping (SIGTSTP): gives the terminal back. After SIGCONT: takes it again. */
void tui_suspend(struct tui *tui);
void tui_resume(struct tui *tui);

/* Gives the terminal back from a signal handler: async-signal-safe, does nothing without a tui. */
void tui_crash_restore(void);

#endif
