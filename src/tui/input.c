/* From ncurses' keys to ours; unknown sequences are swallowed whole, so that no part of one is
 * taken for a key. */
#include "tui/input.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "tui/internal.h"

#define ESCAPE       27
#define SEQUENCE_MAX 64  /* an escape sequence that does not end is none */
#define PASSED_OVER  256 /* bytes of no use in one call: the loop has other work, too */

/* The marks around pasted text in xterm's mode 2004. */
#define PASTE_BEGIN "200~"
#define PASTE_END   "\033[201~"
/* If the end mark was lost, the paste ends after this time without input. */
#define PASTE_SILENCE 5000000 /* µs */

static const struct {
	wint_t code;
	enum input_key key;
} special_keys[] = {
	{ KEY_ENTER, INPUT_ENTER },
	{ KEY_BACKSPACE, INPUT_BACKSPACE },
	{ KEY_DC, INPUT_DELETE },
	{ KEY_BTAB, INPUT_BACKTAB },
	{ KEY_UP, INPUT_UP },
	{ KEY_DOWN, INPUT_DOWN },
	{ KEY_LEFT, INPUT_LEFT },
	{ KEY_RIGHT, INPUT_RIGHT },
	{ KEY_SLEFT, INPUT_SHIFT_LEFT },
	{ KEY_SRIGHT, INPUT_SHIFT_RIGHT },
	{ KEY_HOME, INPUT_HOME },
	{ KEY_FIND, INPUT_HOME }, /* the Linux console's names */
	{ KEY_END, INPUT_END },
	{ KEY_SELECT, INPUT_END },
	{ KEY_PPAGE, INPUT_PAGE_UP },
	{ KEY_NPAGE, INPUT_PAGE_DOWN },
};

static bool from_code(wint_t code, struct key_event *ret_event)
{
	for (size_t i = 0; i < sizeof(special_keys) / sizeof(special_keys[0]); i++) {
		if (special_keys[i].code == code) {
			*ret_event = (struct key_event){ special_keys[i].key, 0 };
			return true;
		}
	}
	if (code > KEY_F(0) && code <= KEY_F(12)) {
		*ret_event = (struct key_event){ INPUT_FUNCTION, (char32_t)(code - KEY_F(0)) };
		return true;
	}
	return false;
}

static bool from_char(wint_t c, struct key_event *ret_event)
{
	struct key_event event = { INPUT_CHAR, (char32_t)c };
	if (c == '\r' || c == '\n')
		event = (struct key_event){ INPUT_ENTER, 0 };
	else if (c == '\t')
		event = (struct key_event){ INPUT_TAB, 0 };
	else if (c == 0x7f || c == '\b')
		event = (struct key_event){ INPUT_BACKSPACE, 0 };
	else if (c < 0x20)
		event = (struct key_event){ INPUT_CTRL,
			(char32_t)(c >= 1 && c <= 26 ? c + 'a' - 1 : c + '@') };
	else if (c >= 0x80 && c < 0xa0)
		return false;
	*ret_event = event;
	return true;
}

/* The buttons of xterm's protocol, without the modifiers' bits. */
static const struct {
	int button;
	enum input_key key;
} buttons[] = {
	{ 0, INPUT_CLICK },
	{ 64, INPUT_WHEEL_UP },
	{ 65, INPUT_WHEEL_DOWN },
	{ 66, INPUT_WHEEL_LEFT },
	{ 67, INPUT_WHEEL_RIGHT },
};
#define MODIFIERS (4 | 8 | 16)

/* "<0;12;5M", as xterm's SGR mode writes a press. */
static bool from_mouse(const char *sequence, struct key_event *ret_event)
{
	int button, x, y;
	char final;
	if (sscanf(sequence, "<%5d;%5d;%5d%c", &button, &x, &y, &final) != 4 || final != 'M' ||
		x < 1 || y < 1)
		return false;
	for (size_t i = 0; i < sizeof(buttons) / sizeof(buttons[0]); i++) {
		if (buttons[i].button != (button & ~MODIFIERS))
			continue;
		*ret_event = (struct key_event){ buttons[i].key, 0, x - 1, y - 1 };
		return true;
	}
	return false;
}

/* It is read again as the next. */
static void give_back(int kind, wint_t c)
{
	if (kind == KEY_CODE_YES)
		ungetch((int)c);
	else if (kind == OK)
		unget_wch((wchar_t)c);
}

/* The next byte of a sequence. One that was cut off ends where the next key begins: that is kept.
 */
static bool read_byte(struct tui *tui, wint_t *ret_c)
{
	int kind = wget_wch(tui->keys, ret_c);
	bool is_key = kind == KEY_CODE_YES || (kind == OK && *ret_c == ESCAPE);
	if (is_key)
		give_back(kind, *ret_c);
	return kind == OK && !is_key && *ret_c < 0x80;
}

/* Parameters, then a final byte: ECMA-48, 5.4. What does not fit is read to its end, and is none.
 */
static bool read_sequence(struct tui *tui, struct key_event *ret_event)
{
	char sequence[SEQUENCE_MAX + 1];
	size_t length = 0;
	wint_t c;
	while (length < SEQUENCE_MAX && read_byte(tui, &c)) {
		sequence[length++] = (char)c;
		if (c >= 0x40 && c <= 0x7e)
			break;
	}
	sequence[length] = '\0';
	tui->pasting = strcmp(sequence, PASTE_BEGIN) == 0;
	tui->paste_end = 0;
	return from_mouse(sequence, ret_event);
}

/* After Esc: the mouse, or a sequence that ncurses does not know, which is none of ours; or
 * nothing, or the next key that came with it in one packet, as from somebody in a hurry far away.
 */
static bool from_escape(struct tui *tui, struct key_event *ret_event)
{
	wint_t c = 0;
	int kind = wget_wch(tui->keys, &c);
	if (kind == OK && c == 'O') {
		(void)read_byte(tui, &c);
		return false;
	}
	if (kind == OK && c == '[')
		return read_sequence(tui, ret_event);
	give_back(kind, c);
	*ret_event = (struct key_event){ INPUT_ESCAPE, 0 };
	return true;
}

static int poll_now(const struct tui *tui)
{
	struct pollfd poll_fd = { .fd = fileno(tui->in), .events = POLLIN };
	if (poll(&poll_fd, 1, 0) <= 0)
		return 0;
	/* a terminal that hung up reads as empty for ever */
	return poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL) ? -EIO : 1;
}

/* Inside a paste: text, or a character of the end mark; never a key. */
static bool from_paste(struct tui *tui, int kind, wint_t c, struct key_event *ret_event)
{
	static const char end[] = PASTE_END;
	if (kind == KEY_CODE_YES) {
		tui->paste_end = 0;
		return false;
	}
	if (c != (wint_t)end[tui->paste_end])
		tui->paste_end = 0;
	if (c == (wint_t)end[tui->paste_end]) {
		tui->paste_end++;
		tui->pasting = tui->paste_end < sizeof(end) - 1;
		return false;
	}
	if (!from_char(c, ret_event))
		return false;
	ret_event->pasted = true;
	return true;
}

/* Notes the time of the input, and ends a paste whose end mark was lost. */
static void note_input(struct tui *tui)
{
	int64_t now = instant_monotonic();
	if (tui->pasting && now - tui->read_at > PASTE_SILENCE)
		tui->pasting = false;
	tui->read_at = now;
}

int input_read(struct tui *tui, struct key_event *ret_event)
{
	bool failed = false;
	for (int i = 0; i < PASSED_OVER; i++) {
		wint_t c;
		int kind = wget_wch(tui->keys, &c);
		if (kind == ERR) {
			/* nothing there, or bytes that are no character: then go on behind them,
			 * where ncurses may hold a key that it has read already */
			int more = poll_now(tui);
			if (more < 0 || (more == 0 && failed))
				return more;
			failed = true;
			continue;
		}
		failed = false;
		bool found;
		note_input(tui);
		if (tui->pasting) {
			found = from_paste(tui, kind, c, ret_event);
		} else if (kind == KEY_CODE_YES) {
			found = from_code(c, ret_event);
		} else if (c == ESCAPE) {
			found = from_escape(tui, ret_event);
		} else {
			found = from_char(c, ret_event);
		}
		if (found)
			return 1;
	}
	return 0;
}
