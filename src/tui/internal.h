/* Data shared by the files of tui/. */
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
#include "widgets/grid.h"

struct tui {
	FILE *in, *out; /* what ncurses reads and writes */
	struct output output;
	SCREEN *screen;
	struct termios modes; /* the terminal's mode while dbtop uses it */
	WINDOW *keys;         /* where keys are read from */
	int colors;           /* 0: attributes only */
	struct paint paint;
	struct truecolor truecolor;
	struct grid shown;   /* what the terminal shows */
	bool mouse;          /* mouse reports were requested */
	bool has_title;      /* the terminal can set a title */
	bool titled;         /* dbtop set the title at least once */
	mbstate_t character; /* the bytes read of an incomplete character */
	bool pasting;        /* between the marks of a bracketed paste */
	size_t paste_end;    /* how many characters of the end mark were read */
	int64_t read_at;     /* when the last input was read; µs, monotonic */
	bool spoilt;         /* the screen may show something else: write all cells */
	cchar_t *run;        /* room for one line */
	int run_size;
};

#endif
