/* A theme converted for a terminal: styles and overlays → attributes and colour pairs. */
#ifndef TUI_PAINT_H
#define TUI_PAINT_H

#include <stdint.h>

#include "model/style.h"

struct theme;
struct truecolor;

#define PAINT_OVERLAYS 16 /* combinations of enum overlay's bits */
#define PAINT_PAIRS    256

struct look {
	uint32_t attributes; /* attr_t without a colour */
	short pair;
	int ground; /* blanks with the same ground look the same; −1: compare nothing */
};

struct paint {
	struct look looks[STYLE_COUNT][PAINT_OVERLAYS];
};

/* colors: the number of colours of the terminal; 0 for attributes only. ncurses must have been
 * started. truecolor: NULL, or a table to fill: how to replace some of 256 colours. */
void paint_init(
	struct paint *paint, const struct theme *theme, int colors, struct truecolor *truecolor);

#endif
