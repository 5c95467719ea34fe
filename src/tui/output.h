/* One write a frame. ncurses writes at every move of the cursor, some seventy times for a full
 * screen, and each wakes the terminal: a frame took three times as long, and could be seen half
 * drawn. While a frame is made its descriptor leads into memory instead. */
#ifndef TUI_OUTPUT_H
#define TUI_OUTPUT_H

#include <stddef.h>

struct truecolor;

struct output {
	int terminal; /* the real one */
	int curses;   /* the number ncurses writes to */
	int memory;   /* −1: not to be had; everything goes straight to the terminal */
	const struct truecolor *truecolor; /* what frames' colours are replaced by; NULL */
};

/* Takes the terminal over; output->curses is for newterm(), which closes it with its stream. */
int output_init(struct output *output, int terminal) __attribute__((warn_unused_result));
void output_deinit(struct output *output);

/* Straight to the terminal. */
void output_write(struct output *output, const char *bytes, size_t size);

void output_begin(struct output *output);
void output_end(struct output *output);

#endif
