/* Output to the terminal: whole frames, and sequences between them, in their order.
 *
 * ncurses writes at each move of the cursor, about seventy times for a full screen, and each write
 * wakes the terminal: a frame took three times as long, and was visible half drawn. So ncurses
 * writes into memory, and a frame is sent with one write.
 *
 * A terminal may stop reading (Ctrl-S, a connection that hangs). Only output_finish() waits for it,
 * for half a second. Output that the terminal does not accept is kept and sent later. */
#ifndef TUI_OUTPUT_H
#define TUI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct truecolor;

struct output {
	int terminal; /* non-blocking; no other process may share its open file description */
	int curses;   /* the descriptor that ncurses writes to */
	int memory;
	const struct truecolor *truecolor; /* how to replace colours in frames; NULL */
	char *queue;                       /* bytes that the terminal has not accepted yet */
	size_t begin, end, room;
};

/* Begins output to the terminal. output->curses is for newterm(), which closes it with its stream.
 * It is connected to the terminal until output_collect(), so that ncurses can set the terminal's
 * modes. */
int output_init(struct output *output, int terminal) __attribute__((warn_unused_result));
void output_deinit(struct output *output);

void output_collect(struct output *output);

/* Sends what ncurses has written since the last call. */
void output_frame(struct output *output);

/* Sends bytes between frames. */
void output_write(struct output *output, const char *bytes, size_t size);

/* The number of bytes that wait for the terminal. */
size_t output_waiting(const struct output *output);

/* Sends as many of them as the terminal accepts now. */
void output_flush(struct output *output);

/* Waits up to half a second until the terminal has accepted everything. Otherwise it drops output
 * that the terminal has not read yet, as far as the kernel still has it, and returns false: the
 * terminal may have read any part of it. */
bool output_finish(struct output *output) __attribute__((warn_unused_result));

#endif
