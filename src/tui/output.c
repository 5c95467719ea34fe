/* ncurses writes a frame into a memfd; then it is queued for the terminal. */
#include "tui/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "tui/truecolor.h"

/* How long to wait for the terminal at the end. */
#define FINISH_MS 500

int output_init(struct output *output, int terminal)
{
	int memory = memfd_create("frame", MFD_CLOEXEC);
	int curses = memory < 0 ? -1 : fcntl(terminal, F_DUPFD_CLOEXEC, 3);
	if (curses < 0) {
		int error = -errno;
		if (memory >= 0)
			close(memory);
		return error;
	}
	*output = (struct output){ .terminal = terminal, .curses = curses, .memory = memory };
	return 0;
}

void output_deinit(struct output *output)
{
	close(output->terminal);
	close(output->memory);
	free(output->queue);
}

void output_collect(struct output *output)
{
	dup3(output->memory, output->curses, O_CLOEXEC);
}

/* Makes room for that many bytes at the end of the queue. */
static char *reserve(struct output *output, size_t size)
{
	if (output->begin) {
		memmove(output->queue, output->queue + output->begin, output->end - output->begin);
		output->end -= output->begin;
		output->begin = 0;
	}
	if (output->room < output->end + size) {
		output->room = output->end + size;
		output->queue = mem_resize(output->queue, output->room, 1);
	}
	return output->queue + output->end;
}

static void drop(struct output *output)
{
	output->begin = output->end = 0;
}

size_t output_waiting(const struct output *output)
{
	return output->end - output->begin;
}

void output_flush(struct output *output)
{
	while (output_waiting(output)) {
		ssize_t written = write(output->terminal, output->queue + output->begin,
			output->end - output->begin);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			return;
		/* The terminal hung up; reading from it reports that to the app. */
		if (written < 0)
			break;
		output->begin += (size_t)written;
	}
	drop(output);
}

void output_write(struct output *output, const char *bytes, size_t size)
{
	memcpy(reserve(output, size), bytes, size);
	output->end += size;
	output_flush(output);
}

static void queue_frame(struct output *output, size_t size)
{
	bool rewrites = output->truecolor && output->truecolor->any;
	char *frame = rewrites ? mem_alloc(size) : NULL;
	char *queued = reserve(output, rewrites ? size * TRUECOLOR_GROWTH + 1 : size);
	if (pread(output->memory, rewrites ? frame : queued, size, 0) == (ssize_t)size)
		output->end +=
			rewrites ? truecolor_rewrite(output->truecolor, frame, size, queued) : size;
	free(frame);
}

void output_frame(struct output *output)
{
	/* Truncates the memfd: after the end are bytes of an earlier, longer frame. */
	off_t size = lseek(output->memory, 0, SEEK_CUR);
	if (size > 0)
		queue_frame(output, (size_t)size);
	lseek(output->memory, 0, SEEK_SET);
	output_flush(output);
}

bool output_finish(struct output *output)
{
	int64_t deadline = instant_monotonic() + FINISH_MS * USEC_PER_MSEC, left;
	output_flush(output);
	if (!output_waiting(output))
		return true;
	/* Restarts output that Ctrl-S stopped. The kernel allows this only after a stop by the same
	 * function. */
	(void)tcflow(output->terminal, TCOOFF);
	(void)tcflow(output->terminal, TCOON);
	while (output_waiting(output) && (left = deadline - instant_monotonic()) > 0) {
		struct pollfd writable = { .fd = output->terminal, .events = POLLOUT };
		(void)poll(&writable, 1, (int)(left / USEC_PER_MSEC) + 1);
		output_flush(output);
	}
	if (!output_waiting(output))
		return true;
	drop(output);
	(void)tcflush(output->terminal, TCOFLUSH);
	return false;
}
