/* True colour on terminals whose description has 256 colours, which are nearly all that have it.
 *
 * ncurses knows true colour only by descriptions of their own (xterm-direct), which are rarely
 * installed, and exist for few terminals; to change the palette (initc) would change it for every
 * window, and outlive a crash. So a colour that no palette has gets a number of the palette that
 * the theme does not use, and where a frame names that number its own red, green and blue go out.
 */
#ifndef TUI_TRUECOLOR_H
#define TUI_TRUECOLOR_H

#include <stdbool.h>
#include <stddef.h>

#define TRUECOLOR_NUMBERS 256

struct theme;

struct truecolor {
	int rgb[TRUECOLOR_NUMBERS]; /* 0xrrggbb; −1: the number is what it is */
	bool any;
};

/* Gives each such colour of the theme a number, and puts that into the theme; the nearest colour of
 * the palette when there are no more. */
void truecolor_init(struct truecolor *truecolor, struct theme *theme);

/* No number is replaced. */
void truecolor_clear(struct truecolor *truecolor);

/* The frame as the terminal is to see it: at most TRUECOLOR_GROWTH as long. Returns the length. */
#define TRUECOLOR_GROWTH 2
size_t truecolor_rewrite(
	const struct truecolor *truecolor, const char *bytes, size_t size, char *ret_bytes);

/* Whether the terminal says that it has it: COLORTERM is truecolor or 24bit. */
bool truecolor_is_said(void);

#endif
