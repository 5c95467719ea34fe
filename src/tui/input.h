/* Reads keys and the mouse, independent of their byte sequences. */
#ifndef TUI_INPUT_H
#define TUI_INPUT_H

#include <stdbool.h>
#include <uchar.h>

struct tui;

enum input_key {
	INPUT_CHAR,     /* c: printable */
	INPUT_CTRL,     /* c: the letter, 'a' to 'z', or one of @[\]^_ */
	INPUT_FUNCTION, /* c: 1 for F1 */
	INPUT_ENTER,
	INPUT_ESCAPE,
	INPUT_BACKSPACE,
	INPUT_DELETE,
	INPUT_TAB,
	INPUT_BACKTAB,
	INPUT_UP,
	INPUT_DOWN,
	INPUT_LEFT,
	INPUT_RIGHT,
	INPUT_SHIFT_LEFT,
	INPUT_SHIFT_RIGHT,
	INPUT_HOME,
	INPUT_END,
	INPUT_PAGE_UP,
	INPUT_PAGE_DOWN,
	INPUT_CLICK, /* the mouse's left button, at x and y */
	INPUT_WHEEL_UP,
	INPUT_WHEEL_DOWN,
	INPUT_WHEEL_LEFT,
	INPUT_WHEEL_RIGHT,
};

struct key_event {
	enum input_key key;
	char32_t c;
	int x, y;    /* position of the mouse, from 0 */
	bool pasted; /* part of a bracketed paste: text, never a command */
};

/* Reads the next key, if there is one. It does not wait, except up to 25 ms for what follows an
 * Esc. Unknown input is skipped. Returns 1, 0 for none, -EIO if the terminal is gone. */
int input_read(struct tui *tui, struct key_event *ret_event) __attribute__((warn_unused_result));

#endif
