/* stdio reports that a write failed but loses errno; poll() a pipe to detect EPIPE. */
#include "report/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

static bool is_broken_pipe(FILE *file)
{
	struct pollfd pollfd = { .fd = fileno(file), .events = POLLOUT };
	return pollfd.fd >= 0 && poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLERR);
}

int stream_flush(FILE *file)
{
	errno = 0;
	if (fflush(file) == 0 && !ferror(file))
		return 0;
	if (errno)
		return -errno;
	return is_broken_pipe(file) ? -EPIPE : -EIO;
}
