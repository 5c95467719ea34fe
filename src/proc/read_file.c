#include "proc/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

ssize_t read_file(int folder, const char *path, char *bytes, size_t size)
{
	CLEANUP(cleanup_fd) int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	size_t length = 0;
	while (length < size - 1) {
		ssize_t n = read(fd, bytes + length, size - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	bytes[length] = '\0';
	return (ssize_t)length;
}
