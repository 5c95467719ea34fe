/* Converts ncurses' keys to ours. Unknown sequences are skipped as a whole, so that no part of one
 * becomes a key. */
#include "tui/input.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/instant.h"
#include "tui/internal.h"

#define ESCAPE       27
#define SEQUENCE_MAX 64  /* a longer escape sequence is skipped */
#define PASSED_OVER  256 /* bytes skipped in one call, so that the loop can do other work */

/* The marks around pasted text in xterm's mode 2004. */
#define PASTE_BEGIN "200~"
#define PASTE_END   "\033[201~"
/* If the end mark was lost, the paste ends after this time without input. */
#define PASTE_SILENCE 5000000 /* µs */

static const struct {
	int code;
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
	{ KEY_FIND, INPUT_HOME }, /* the sequences of the Linux console */
	{ KEY_END, INPUT_END },
	{ KEY_SELECT, INPUT_END },
	{ KEY_PPAGE, INPUT_PAGE_UP },
	{ KEY_NPAGE, INPUT_PAGE_DOWN },
};

static bool from_code(int code, struct key_event *ret_event)
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
	else if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false; /* glibc accepts UTF-8 of up to six bytes, byte by byte. */
	*ret_event = event;
	return true;
}

/* The buttons of xterm's protocol, without the bits of modifier keys. */
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

/* "<0;12;5M", the form of a press in xterm's SGR mode. */
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

/* Adds a byte to a character in the locale's encoding. Returns true if the character is complete.
 * An invalid byte is skipped alone: wget_wch() would also take up to 15 bytes after it, and with
 * them keys or the mark that ends a paste. */
static bool decode(struct tui *tui, int byte, wchar_t *ret_c)
{
	const char bytes[1] = { (char)byte };
	bool begun = !mbsinit(&tui->character);
	size_t length = mbrtowc(ret_c, bytes, 1, &tui->character);
	if (length == (size_t)-2)
		return false;
	if (length != (size_t)-1)
		return true;
	tui->character = (mbstate_t){ 0 };
	/* The previous character was incomplete; this byte may begin the next one. */
	return begun && decode(tui, byte, ret_c);
}

/* Reads the next byte of a sequence. If the sequence is incomplete, the byte of the next key is
 * kept. */
static bool read_byte(struct tui *tui, int *ret_c)
{
	*ret_c = wgetch(tui->keys);
	if (*ret_c == ERR)
		return false;
	if (*ret_c < 0x80 && *ret_c != ESCAPE)
		return true;
	ungetch(*ret_c);
	return false;
}

/* Reads parameters, then a final byte: ECMA-48, 5.4. A sequence that is too long is read to its end
 * and skipped. */
static bool read_sequence(struct tui *tui, struct key_event *ret_event)
{
	char sequence[SEQUENCE_MAX + 1];
	size_t length = 0;
	int c;
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

/* Reads what follows an Esc: the mouse; an unknown sequence, which is skipped; nothing; or the next
 * key, if both arrived in one packet, as over a slow network. */
static bool from_escape(struct tui *tui, struct key_event *ret_event)
{
	int c = wgetch(tui->keys);
	if (c == 'O') {
		(void)read_byte(tui, &c);
		return false;
	}
	if (c == '[')
		return read_sequence(tui, ret_event);
	if (c != ERR)
		ungetch(c);
	*ret_event = (struct key_event){ INPUT_ESCAPE, 0 };
	return true;
}

static int poll_now(const struct tui *tui)
{
	struct pollfd poll_fd = { .fd = fileno(tui->in), .events = POLLIN };
	if (poll(&poll_fd, 1, 0) <= 0)
		return 0;
	/* On a terminal that hung up, every read returns nothing. */
	return poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL) ? -EIO : 1;
}

/* Inside a paste every character is text, or part of the end mark; never a key. */
static bool from_paste(struct tui *tui, wchar_t c, struct key_event *ret_event)
{
	static const char end[] = PASTE_END;
	if (c != (wchar_t)end[tui->paste_end])
		tui->paste_end = 0;
	if (c == (wchar_t)end[tui->paste_end]) {
		tui->paste_end++;
		tui->pasting = tui->paste_end < sizeof(end) - 1;
		return false;
	}
	if (!from_char((wint_t)c, ret_event))
		return false;
	ret_event->pasted = true;
	return true;
}

/* A key that ncurses knows. Inside a paste it is skipped. */
static bool take_code(struct tui *tui, int code, struct key_event *ret_event)
{
	tui->character = (mbstate_t){ 0 };
	tui->paste_end = 0;
	return !tui->pasting && from_code(code, ret_event);
}

static bool take_byte(struct tui *tui, int byte, struct key_event *ret_event)
{
	wchar_t c;
	/* A byte that does not continue the end mark ends it, even if the byte
	 * itself is skipped. */
	if (byte != PASTE_END[tui->paste_end])
		tui->paste_end = 0;
	if (!decode(tui, byte, &c))
		return false;
	if (tui->pasting)
		return from_paste(tui, c, ret_event);
	return c == ESCAPE ? from_escape(tui, ret_event) : from_char((wint_t)c, ret_event);
}

/* Notes the time of the input. Ends a paste whose end mark was lost. */
static void note_input(struct tui *tui)
{
	int64_t now = instant_monotonic();
	if (tui->pasting && now - tui->read_at > PASTE_SILENCE)
		tui->pasting = false;
	tui->read_at = now;
}

int input_read(struct tui *tui, struct key_event *ret_event)
{
	for (int i = 0; i < PASSED_OVER; i++) {
		int c = wgetch(tui->keys);
		if (c == ERR) {
			int more = poll_now(tui);
			if (more <= 0)
				return more;
			continue;
		}
		note_input(tui);
		bool found =
			c >= KEY_MIN ? take_code(tui, c, ret_event) : take_byte(tui, c, ret_event);
		if (found)
			return 1;
	}
	return 0;
}
