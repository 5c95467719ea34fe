/* Controls ncurses, and shows a grid with it. */
#include "tui/tui.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "tui/draw.h"
#include "tui/internal.h"
#include "tui/restore.h"
#include "widgets/grid.h"

#define ESCAPE_DELAY 25 /* ms: a longer pause after Esc makes it a key of its own */

/* Opens the terminal again, for a file description of our own: it becomes non-blocking, and the
 * shell shares those of standard input and output. */
static int open_own(const char *path, int flags)
{
	return open(path, flags | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

static int open_input(void)
{
	int fd = open_own("/dev/tty", O_RDONLY);
	if (fd < 0 && ttyname(STDIN_FILENO))
		fd = open_own(ttyname(STDIN_FILENO), O_RDONLY);
	return fd < 0 ? -ENOTTY : fd;
}

static int open_output(void)
{
	int fd = isatty(STDOUT_FILENO) ? open_own("/proc/self/fd/1", O_WRONLY) : -1;
	if (fd < 0)
		fd = open_own("/dev/tty", O_WRONLY);
	return fd < 0 ? -ENOTTY : fd;
}

static int open_terminal(struct tui *tui)
{
	int in = open_input();
	if (in < 0)
		return in;
	tui->in = fdopen(in, "r");
	int out = open_output();
	if (out < 0)
		return out;
	int r = output_init(&tui->output, out);
	if (r < 0) {
		close(out);
		return r;
	}
	tui->out = fdopen(tui->output.curses, "w");
	return tui->in && tui->out ? 0 : -ENOMEM;
}

static void close_terminal(struct tui *tui)
{
	if (tui->in)
		fclose(tui->in);
	if (tui->out) {
		fclose(tui->out);
		output_deinit(&tui->output);
	}
}

/* A terminal description with 256 colours, for a terminal that reports true colour while its TERM
 * has few: xterm-256color for xterm. NULL if TERM's description is sufficient. */
static const char *rich_type(char *type, size_t size)
{
	const char *term = getenv("TERM");
	if (!term || strchr(term, '-') || !truecolor_is_said())
		return NULL;
	int length = snprintf(type, size, "%s-256color", term);
	return length > 0 && (size_t)length < size ? type : NULL;
}

static SCREEN *new_terminal(struct tui *tui)
{
	char type[64];
	const char *rich = rich_type(type, sizeof(type));
	SCREEN *screen = rich ? newterm(rich, tui->out, tui->in) : NULL;
	return screen ? screen : newterm(NULL, tui->out, tui->in);
}

/* ncurses installs handlers for signals that end or stop the program; the app has its own, which
 * are restored. */
static SCREEN *start_screen(struct tui *tui)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGTSTP, SIGWINCH };
	struct sigaction before[sizeof(taken) / sizeof(taken[0])];
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaction(taken[i], NULL, &before[i]);
	SCREEN *screen = new_terminal(tui);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaction(taken[i], &before[i], NULL);
	return screen;
}

static int count_colors(void)
{
	const char *no_color = getenv("NO_COLOR");
	if ((no_color && *no_color) || !has_colors())
		return 0;
	start_color();
	if (use_default_colors() == ERR)
		assume_default_colors(COLOR_WHITE, COLOR_BLACK);
	return COLORS;
}

static void set_modes(struct tui *tui)
{
	cbreak();
	noecho();
	nonl();
	(void)tcgetattr(tui->output.terminal, &tui->modes);
	/* From here on ncurses sets no modes, and its output is collected. */
	output_collect(&tui->output);
	set_escdelay(ESCAPE_DELAY);
	typeahead(-1); /* Drawing must not stop because a key arrived. */
	curs_set(0);
	leaveok(stdscr, TRUE);
	/* Keys are read through a pad: reading through a window would refresh it. */
	tui->keys = newpad(1, 1);
	keypad(tui->keys, TRUE);
	keyok(KEY_MOUSE,
		FALSE); /* input.c reads the mouse itself, in the same way for all terminals. */
	nodelay(tui->keys, TRUE);
	output_frame(&tui->output);
}

/* xterm's private mode: pasted text is between marks, so that input.c can distinguish it from keys.
 */
#define PASTE_ON  "\033[?2004h"
#define PASTE_OFF "\033[?2004l"

/* xterm's private modes: presses and releases, in the SGR form. */
#define MOUSE_ON  "\033[?1000h\033[?1006h"
#define MOUSE_OFF "\033[?1006l\033[?1000l"

/* The old title is kept on the terminal's own stack. */
#define TITLE_PUSH "\033[22;0t"
#define TITLE_POP  "\033[23;0t"

/* Sent outside of frames: ncurses does not know these sequences. */
static void write_sequence(struct tui *tui, const char *sequence)
{
	output_write(&tui->output, sequence, strlen(sequence));
}

static void take_extras(struct tui *tui)
{
	write_sequence(tui, PASTE_ON);
	restore_add(PASTE_OFF);
	if (tui->mouse) {
		write_sequence(tui, MOUSE_ON);
		restore_add(MOUSE_OFF);
	}
	if (tui->titled) {
		write_sequence(tui, TITLE_PUSH);
		restore_add(TITLE_POP);
	}
}

static void give_extras_back(struct tui *tui)
{
	write_sequence(tui, PASTE_OFF);
	if (tui->mouse)
		write_sequence(tui, MOUSE_OFF);
	if (tui->titled)
		write_sequence(tui, TITLE_POP);
}

void tui_use_mouse(struct tui *tui)
{
	if (tui->mouse)
		return;
	tui->mouse = true;
	write_sequence(tui, MOUSE_ON);
	restore_add(MOUSE_OFF);
}

void tui_set_title(struct tui *tui, const char *title)
{
	if (!tui->has_title)
		return;
	if (!tui->titled) {
		tui->titled = true;
		write_sequence(tui, TITLE_PUSH);
		restore_add(TITLE_POP);
	}
	CLEANUP(cleanup_free) char *sequence = mem_printf("\033]2;%s\a", title);
	write_sequence(tui, sequence);
}

void tui_ring(struct tui *tui)
{
	write_sequence(tui, "\a");
}

/* The terminal "dumb" has a description, but cannot move the cursor. */
static bool can_place_text(void)
{
	const char *move = tigetstr("cup"), *clear = tigetstr("clear");
	return move && move != (const char *)-1 && clear && clear != (const char *)-1;
}

int tui_new(const struct theme *theme, struct tui **ret_tui)
{
	struct tui *tui = mem_alloc(sizeof(*tui));
	int r = open_terminal(tui);
	if (r < 0)
		goto closed;
	restore_save(tui->output.terminal);
	tui->screen = start_screen(tui);
	r = -ENOTSUP;
	if (!tui->screen)
		goto closed;
	if (!can_place_text())
		goto ended;
	restore_arm();
	set_modes(tui);
	/* XT: the terminal supports xterm's title sequences */
	tui->has_title = tigetflag("XT") > 0;
	tui->colors = count_colors();
	grid_init(&tui->shown);
	tui_set_theme(tui, theme);
	take_extras(tui);
	tui_resize(tui);
	*ret_tui = tui;
	return 0;

ended:
	endwin();
	delscreen(tui->screen);
closed:
	close_terminal(tui);
	free(tui);
	return r;
}

/* The terminal has the shell's modes again. */
static void leave_screen(struct tui *tui)
{
	give_extras_back(tui);
	endwin();
	output_frame(&tui->output);
	if (output_finish(&tui->output))
		restore_modes();
	else
		restore_now();
	restore_disarm();
}

void tui_free(struct tui *tui)
{
	if (!tui)
		return;
	leave_screen(tui);
	delwin(tui->keys);
	delscreen(tui->screen);
	close_terminal(tui);
	grid_deinit(&tui->shown);
	free(tui->run);
	free(tui);
}

int tui_fd(const struct tui *tui)
{
	return fileno(tui->in);
}

int tui_output_fd(const struct tui *tui)
{
	return tui->output.terminal;
}

bool tui_is_waiting(const struct tui *tui)
{
	return output_waiting(&tui->output) > 0;
}

void tui_flush(struct tui *tui)
{
	output_flush(&tui->output);
}

void tui_size(const struct tui *tui, int *ret_width, int *ret_height)
{
	(void)tui;
	getmaxyx(stdscr, *ret_height, *ret_width);
}

bool tui_is_ascii(const struct tui *tui)
{
	(void)tui;
	return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

void tui_set_theme(struct tui *tui, const struct theme *theme)
{
	bool rewrites = truecolor_is_said();
	paint_init(&tui->paint, theme, tui->colors, rewrites ? &tui->truecolor : NULL);
	tui->output.truecolor = rewrites ? &tui->truecolor : NULL;
	tui_redraw(tui);
}

void tui_draw(struct tui *tui, const struct grid *grid)
{
	draw_grid(tui, grid);
}

void tui_redraw(struct tui *tui)
{
	tui->spoilt = true;
}

void tui_resize(struct tui *tui)
{
	struct winsize size;
	if (ioctl(tui->output.terminal, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resize_term(size.ws_row, size.ws_col);
	tui_redraw(tui);
}

void tui_suspend(struct tui *tui)
{
	leave_screen(tui);
}

void tui_resume(struct tui *tui)
{
	restore_arm();
	(void)tcsetattr(tui->output.terminal, TCSANOW, &tui->modes);
	/* ncurses sets its modes again with its next output. */
	clearok(curscr, TRUE);
	doupdate();
	keypad(tui->keys, TRUE);
	output_frame(&tui->output);
	take_extras(tui);
	tui_resize(tui);
}

void tui_crash_restore(void)
{
	restore_now();
}
