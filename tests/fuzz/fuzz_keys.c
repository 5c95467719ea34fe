/* tui/input over ncurses, on a pty: whatever bytes come from a terminal, and what somebody pastes.
 * An input is keys and pastes by turns, with the byte 0xfe between two; it begins with keys. */
#include <fcntl.h>
#include <locale.h>
#include <ncurses.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/instant.h"
#include "config/theme.h"
#include "fuzz.h"
#include "tui/input.h"
#include "tui/tui.h"

#define SEPARATOR   0xfe
#define PIECE_MAX   1024 /* a pty takes 4095 bytes at once */
#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"
#define MARK        6

static struct {
	int master;
	struct tui *tui;
	struct key_event last;
	size_t n_events, n_pasted;
} terminal;

/* The terminal that we were started from is not the one to read from. */
static void leave_terminal(void)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0)
		return;
	(void)ioctl(tty, TIOCNOTTY);
	close(tty);
}

static void swap_standard(int fds[2])
{
	for (int fd = 0; fd < 2; fd++) {
		int ours = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		MUST(dup2(fds[fd], fd) == fd);
		close(fds[fd]);
		fds[fd] = ours;
	}
}

/* The driver of the pty hands on every byte. A lone Esc is waited for no longer than that all bytes
 * are there before they are read. */
static void open_terminal(void)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct termios modes;
	struct theme theme;
	int slave;
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TERM", "xterm-256color", 1);
	leave_terminal();
	MUST(openpty(&terminal.master, &slave, NULL, NULL, &size) == 0);
	int fds[2] = { slave, dup(slave) };
	swap_standard(fds);
	MUST(theme_builtin("default", &theme) == 0 && tui_new(&theme, &terminal.tui) == 0);
	swap_standard(fds);
	MUST(set_escdelay(1) == OK && tcgetattr(tui_fd(terminal.tui), &modes) == 0);
	cfmakeraw(&modes);
	MUST(tcsetattr(tui_fd(terminal.tui), TCSANOW, &modes) == 0);
}

static int waiting(void)
{
	int bytes = 0;
	MUST(ioctl(tui_fd(terminal.tui), FIONREAD, &bytes) == 0);
	return bytes;
}

static void check_event(const struct key_event *event)
{
	MUST((int)event->key >= INPUT_CHAR && event->key <= INPUT_WHEEL_RIGHT);
	MUST(event->x >= 0 && event->y >= 0);
	if (event->key == INPUT_CHAR)
		MUST(event->c >= (event->pasted ? 0x1b : 0x20) && event->c != 0x7f &&
			event->c <= 0x10ffff && !(event->c >= 0x80 && event->c < 0xa0));
	if (event->key == INPUT_FUNCTION)
		MUST(event->c >= 1 && event->c <= 12);
	/* what is pasted is text, and the ends of its lines: no movement, no click */
	MUST(!event->pasted || event->key <= INPUT_TAB);
}

/* Sends them, waits until the last one has come through, and reads all keys. */
static void send_bytes(const void *bytes, size_t size)
{
	int64_t deadline = instant_monotonic() + 60 * USEC_PER_SEC;
	MUST(write(terminal.master, bytes, size) == (ssize_t)size);
	while (waiting() < (int)size)
		MUST(instant_monotonic() < deadline);
	for (int silent = 0; silent < 3;) {
		struct key_event event = { 0 };
		int r = input_read(terminal.tui, &event);
		MUST(r >= 0);
		silent = r == 0 && waiting() == 0 ? silent + 1 : 0;
		if (r == 0)
			continue;
		check_event(&event);
		terminal.last = event;
		terminal.n_events++;
		terminal.n_pasted += event.pasted;
	}
}

static void forget_events(void)
{
	terminal.n_events = terminal.n_pasted = 0;
}

static bool is_command(const struct key_event *event)
{
	return event->key == INPUT_CHAR && event->c == 'k' && !event->pasted;
}

/* Keys may contain the mark that begins a paste. The mark that ends it is sent after them, so that
 * later keys are keys again. */
static bool send_keys(const uint8_t *bytes, size_t size)
{
	forget_events();
	if (size)
		send_bytes(bytes, size);
	bool any = terminal.n_events > 0;
	send_bytes(PASTE_END, MARK);
	forget_events();
	send_bytes("k", 1);
	MUST(terminal.n_events == 1 && is_command(&terminal.last));
	return any;
}

/* As a terminal does: a paste holds no mark that ends one. */
static size_t remove_marks(uint8_t *bytes, size_t size)
{
	for (uint8_t *mark; (mark = memmem(bytes, size, PASTE_END, MARK)); size -= MARK)
		memmove(mark, mark + MARK, size - MARK - (size_t)(mark - bytes));
	return size;
}

/* Nothing of a paste is a command, and what follows it is one again. */
static bool send_paste(const uint8_t *bytes, size_t size)
{
	uint8_t text[PIECE_MAX + 2 * MARK + 1];
	memcpy(text + MARK, bytes, size);
	size = remove_marks(text + MARK, size);
	/* in two packets, or in one */
	size_t first = size > 1 && text[MARK] & 1 ? MARK + size / 2 : 0;
	memcpy(text, PASTE_BEGIN, MARK);
	memcpy(text + MARK + size, PASTE_END "k", MARK + 1);
	forget_events();
	if (first)
		send_bytes(text, first);
	send_bytes(text + first, size + 2 * MARK + 1 - first);
	MUST(is_command(&terminal.last) && terminal.n_pasted == terminal.n_events - 1);
	return terminal.n_pasted > 0;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	bool accepted = false, pastes = false;
	if (!terminal.tui)
		open_terminal();
	for (size_t at = 0; at <= size; pastes = !pastes) {
		const uint8_t *end = at < size ? memchr(data + at, SEPARATOR, size - at) : NULL;
		size_t length = (end ? (size_t)(end - data) : size) - at;
		size_t sent = length < PIECE_MAX ? length : PIECE_MAX;
		if (pastes)
			accepted |= send_paste(data + at, sent);
		else
			accepted |= send_keys(data + at, sent);
		at += length + 1;
	}
	return accepted;
}
