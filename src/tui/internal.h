/* What the layer's files share. */
#ifndef TUI_INTERNAL_H
#define TUI_INTERNAL_H

#include <ncurses.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <termios.h>
#include <wchar.h>

#include "tui/output.h"
#include "tui/paint.h"
#include "tui/truecolor.h"
#include "view/grid.h"

struct tui {
	FILE *in, *out; /* what ncurses reads and writes */
	struct output output;
	SCREEN *screen;
	struct termios modes; /* the terminal's, while it is ours */
	WINDOW *keys;         /* where keys are read from */
	int colors;           /* 0: attributes alone */
	struct paint paint;
	struct truecolor truecolor;
	struct grid shown;   /* what the terminal shows */
	bool mouse;          /* its buttons were asked for */
	bool has_title;      /* the terminal has a title … */
	bool titled;         /* … that was ours at least once */
	mbstate_t character; /* the bytes of an unfinished one that were read */
	bool pasting;        /* between the marks of a bracketed paste */
	size_t paste_end;    /* characters of the end mark read so far */
	int64_t read_at;     /* when the last input was read; µs, monotonic */
	bool spoilt;         /* it shows something else: write everything */
	cchar_t *run;        /* room for one line */
	int run_size;
};

#endif
