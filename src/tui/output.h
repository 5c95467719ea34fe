/* What goes to the terminal: whole frames, and sequences beside them, in their order.
 *
 * ncurses writes at every move of the cursor, some seventy times for a full screen, and each wakes
 * the terminal: a frame took three times as long, and could be seen half drawn. So its descriptor
 * leads into memory, and a frame goes out in one write.
 *
 * A terminal may stop reading (Ctrl-S, a connection that hangs). Nothing here waits for it, but
 * output_finish(), for half a second: what it does not take is kept, and goes out
 * later. */
#ifndef TUI_OUTPUT_H
#define TUI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct truecolor;

struct output {
	int terminal; /* non-blocking; its open file description must be ours alone */
	int curses;   /* the number ncurses writes to */
	int memory;
	const struct truecolor *truecolor; /* what frames' colours are replaced by; NULL */
	char *queue;                       /* what the terminal has not taken yet */
	size_t begin, end, room;
};

/* Takes the terminal over; output->curses is for newterm(), which closes it with its stream. It
 * leads to the terminal until output_collect(), so that ncurses can set the terminal's modes. */
int output_init(struct output *output, int terminal) __attribute__((warn_unused_result));
void output_deinit(struct output *output);

void output_collect(struct output *output);

/* Sends what ncurses has written since the last call. */
void output_frame(struct output *output);

/* Sends bytes beside the frames. */
void output_write(struct output *output, const char *bytes, size_t size);

/* How many bytes wait for the terminal to take them. */
size_t output_waiting(const struct output *output);

/* Sends as much of that as the terminal takes now. */
void output_flush(struct output *output);

/* Waits up to half a second for the terminal to take everything. When it does not, what was sent
 * and not read yet is dropped, as far as the kernel has it: returns false, and the terminal may
 * have got any part of it. */
bool output_finish(struct output *output) __attribute__((warn_unused_result));

#endif
