/* A program in a terminal of our own: a pty, and libvterm at its other end.
 *
 * Nothing sleeps and hopes: the waits end when the terminal shows what was asked for, and give up
 * after TERM_TIMEOUT_MS with the screen on standard error. The program dies with the test. */
#ifndef SUPPORT_TERM_H
#define SUPPORT_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

/* Ends a wait that will not be met; no bound of the program. It is live_patience() of 20 s, which
 * live tests have for the start of a server or program. */
#define TERM_TIMEOUT_MS 120000
#define TERM_CELL_CHARS 6

struct term;

struct term_options {
	int width, height;
	const char *type;   /* TERM; NULL: xterm-256color */
	const char *locale; /* NULL: C.UTF-8 */
	/* "NAME=value", or "NAME" to unset it; NULL-terminated; NULL for none. PG*, XDG_*, NO_COLOR
	 * and the like are not inherited, and HOME is a folder of the terminal's own. */
	const char *const *environment;
};

/* Never NULL: the test fails if there is no pty or no program. argv[0] is the program's path. */
struct term *term_start(const struct term_options *options, const char *const *argv);

/* Kills what still runs. NULL is allowed. */
void term_end(struct term *term);

/* Ends all terminals that are left: a teardown for each test, so that what a failed test left
 * behind does not make the next one fail. */
int term_teardown(void **state);

pid_t term_pid(const struct term *term);
/* Its HOME: removed at the end. */
const char *term_home(const struct term *term);

/* Input as bytes, … */
void term_send(struct term *term, const char *text);
/* … as keys by name, one after the other: "k Enter Esc Up PgDn F1 Ctrl-L Space é". */
void term_press(struct term *term, const char *keys);
/* … as text that is pasted, between marks if the program asked for them, … */
void term_paste(struct term *term, const char *text);
/* Waits until a plan has been on the screen for as long as dbtop demands. */
void term_read_plan(struct term *term);
/* Enter on a plan, once it has been on the screen for as long as dbtop demands. */
void term_confirm(struct term *term);
/* … and as the mouse, if the program asked for it: button 1 is the left one, 4 and 5 the wheel. */
void term_click(struct term *term, int x, int y, int button);

/* The terminal's window becomes this large. */
void term_resize(struct term *term, int width, int height);

/* Its descriptor goes, as when a window is closed. */
void term_hang_up(struct term *term);

/* Has the program draw, and reads nothing, until the terminal is full. */
void term_fill(struct term *term);
/* Whether the terminal takes nothing until somebody reads it. */
bool term_is_full(const struct term *term);
/* Ctrl-S: returns when the terminal takes nothing any more. */
void term_stop_output(struct term *term);
/* Whether writing waits for the terminal in the descriptors that the program was given. */
bool term_is_blocking(const struct term *term);
/* Waits for the end and reads nothing before it. False, with the screen told, when the program has
 * not ended after TERM_TIMEOUT_MS. */
bool term_wait_exit_unread(struct term *term, int *ret_status);
/* Waits until the program has taken all input and sleeps in its loop, and reads nothing. */
bool term_wait_taken_unread(struct term *term);

/* Reads what is there, and waits `ms` at most for something. */
void term_read(struct term *term, int ms);

typedef bool term_predicate(struct term *term, void *data);

/* False, with the screen told, when it did not come to be. */
bool term_wait(struct term *term, term_predicate *predicate, void *data, const char *what);
/* These return when the frame is whole: what else it shows can be asked for at once. */
bool term_wait_text(struct term *term, const char *text);
bool term_wait_gone(struct term *term, const char *text);
/* Until the program has taken all input and sleeps in its loop. It may be about to show something:
 * a program that refreshes all the time, on a busy machine, is never at rest. */
bool term_wait_taken(struct term *term);
/* Until the program has taken all input, shown its answer, and sleeps in its loop, and none of its
 * other threads is at work. */
bool term_settle(struct term *term);
/* Until it stops (SIGSTOP and its kin), or ends; *ret_status as of waitpid(). */
bool term_wait_stop(struct term *term);
bool term_wait_exit(struct term *term, int *ret_status);

/* What the terminal is. */
bool term_is_alternate(const struct term *term);
bool term_cursor_visible(const struct term *term);
void term_cursor(const struct term *term, int *ret_x, int *ret_y);
/* 0 none, 1 clicks, 2 drags, 3 every move. */
int term_mouse(const struct term *term);
/* The last one set; "" before. */
const char *term_title(const struct term *term);
/* The last operating system command that sets no title, as "52;c;…"; "" before. */
const char *term_command(const struct term *term);
unsigned int term_bells(const struct term *term);
/* Bytes the program wrote so far. */
size_t term_written(const struct term *term);
struct termios term_modes(const struct term *term);

enum term_color {
	TERM_COLOR_DEFAULT = -1,
	TERM_COLOR_RGB = 0x1000000, /* | 0xrrggbb; less is an index of the palette */
};

struct term_cell {
	uint32_t chars[TERM_CELL_CHARS]; /* a blank is ' '; 0 ends them */
	int width;                       /* 0: the right half of the one before */
	int fg, bg;                      /* enum term_color */
	bool bold, underline, italic, reverse;
};

/* A picture of the whole screen, which the caller frees with free(). */
struct term_screen {
	int width, height;
	struct term_cell cells[];
};

struct term_screen *term_copy(const struct term *term);
const struct term_cell *term_cell(const struct term_screen *screen, int x, int y);
/* Where they differ first; the screens have the same size in the second. */
bool term_screens_equal(
	const struct term_screen *a, const struct term_screen *b, int *ret_x, int *ret_y);
bool term_rows_equal(const struct term_screen *a, const struct term_screen *b, int y, int *ret_x);

/* Lines without the blanks at their ends; the caller frees it. */
char *term_screen_text(const struct term_screen *screen);
char *term_screen_line(const struct term_screen *screen, int y);
/* The screen's rows; y from 0. */
char *term_text(const struct term *term);
char *term_line(const struct term *term, int y);
/* The column and the row of a text; false when it is not there. Either may be NULL. */
bool term_find(const struct term *term, const char *text, int *ret_x, int *ret_y);
bool term_shows(const struct term *term, const char *text);

/* The screen on standard error, under a heading. */
void term_print(const struct term *term, const char *heading);

#endif
