/* A frame is collected in a memfd and sent as a whole. */
#include "tui/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "tui/truecolor.h"

int output_init(struct output *output, int terminal)
{
	int curses = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
	if (curses < 0)
		return -errno;
	*output = (struct output){
		.terminal = terminal,
		.curses = curses,
		.memory = memfd_create("frame", MFD_CLOEXEC),
	};
	return 0;
}

void output_deinit(struct output *output)
{
	close(output->terminal);
	if (output->memory >= 0)
		close(output->memory);
}

void output_begin(struct output *output)
{
	if (output->memory >= 0)
		dup3(output->memory, output->curses, O_CLOEXEC);
}

static void write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);
		if (written < 0 && errno == EAGAIN) {
			struct pollfd writable = { .fd = fd, .events = POLLOUT };
			poll(&writable, 1, -1);
			continue;
		}
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return; /* it hung up: reading tells the app */
		bytes += written;
		size -= (size_t)written;
	}
}

void output_write(struct output *output, const char *bytes, size_t size)
{
	write_all(output->terminal, bytes, size);
}

static void write_frame(const struct output *output, const char *frame, size_t size)
{
	if (!output->truecolor || !output->truecolor->any) {
		write_all(output->terminal, frame, size);
		return;
	}
	char *rewritten = mem_alloc(size * TRUECOLOR_GROWTH + 1);
	size = truecolor_rewrite(output->truecolor, frame, size, rewritten);
	write_all(output->terminal, rewritten, size);
	free(rewritten);
}

void output_end(struct output *output)
{
	if (output->memory < 0)
		return;
	dup3(output->terminal, output->curses, O_CLOEXEC);
	off_t size = lseek(output->memory, 0, SEEK_CUR);
	/* behind the end lies what is left of a longer frame */
	char *frame = size > 0 ? mem_alloc((size_t)size) : NULL;
	if (size > 0 && pread(output->memory, frame, (size_t)size, 0) == size)
		write_frame(output, frame, (size_t)size);
	free(frame);
	lseek(output->memory, 0, SEEK_SET);
}
