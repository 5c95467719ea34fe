/* A theme made ready for a terminal: styles and what is laid over them → attributes and pairs. */
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
	int ground; /* blanks of equal ground look the same, whatever else differs; −1: of none */
};

struct paint {
	struct look looks[STYLE_COUNT][PAINT_OVERLAYS];
};

/* colors: how many the terminal has; 0 for attributes alone. ncurses has been started. truecolor:
 * NULL, or what 256 colours may be replaced by, which is set here. */
void paint_init(
	struct paint *paint, const struct theme *theme, int colors, struct truecolor *truecolor);

#endif
