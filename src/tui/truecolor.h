/* True colour on terminals whose description has 256 colours, as most true-colour terminals have.
 *
 * ncurses supports true colour only with special descriptions (xterm-direct). These are rarely
 * installed and exist for few terminals. Changing the palette (initc) would affect all windows, and
 * would remain after a crash. So a colour that is not in the palette gets a number of the palette
 * that the theme does not use. Where a frame contains that number, it is replaced by the red, green
 * and blue of the colour. */
#ifndef TUI_TRUECOLOR_H
#define TUI_TRUECOLOR_H

#include <stdbool.h>
#include <stddef.h>

#define TRUECOLOR_NUMBERS 256

struct theme;

struct truecolor {
	int rgb[TRUECOLOR_NUMBERS]; /* 0xrrggbb; −1: the number is not replaced */
	bool any;
};

/* Assigns numbers to such colours and stores them in the theme. If no number is free, the nearest
 * colour of the palette is used. */
void truecolor_init(struct truecolor *truecolor, struct theme *theme);

/* Clears the table: no number is replaced. */
void truecolor_clear(struct truecolor *truecolor);

/* Replaces the numbers in a frame; the result is at most TRUECOLOR_GROWTH as long. Returns the
 * length. */
#define TRUECOLOR_GROWTH 2
size_t truecolor_rewrite(
	const struct truecolor *truecolor, const char *bytes, size_t size, char *ret_bytes);

/* Whether the terminal supports it: COLORTERM is truecolor or 24bit. */
bool truecolor_is_said(void);

#endif
