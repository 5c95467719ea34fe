/* Reads regular files of limited size. */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "config/error.h"

#define BYTES_MAX (1024 * 1024)

static int file_error(const char *path, int error, struct config_error *ret_error)
{
	const char *next = error == EACCES
		? ": dbtop's user must be able to read it, and to enter its folder"
		: "";
	error_set(ret_error, path, 0, NULL, "%s%s", strerror(error), next);
	return -error;
}

/* A FIFO or a device could block, or never end. A file that grows while it is read is cut at the
 * limit. */
static int open_regular(
	const char *path, struct file_trust *ret_trust, struct config_error *ret_error)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return file_error(path, errno, ret_error);
	if (!S_ISREG(status.st_mode)) {
		error_set(ret_error, path, 0, NULL,
			S_ISDIR(status.st_mode) ? "a folder: name the file in it"
						: "not a regular file");
		return -EINVAL;
	}
	*ret_trust = (struct file_trust){
		.is_ours = status.st_uid == geteuid() || status.st_uid == 0,
		.is_writable = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0,
	};
	int opened = fd;
	fd = -1;
	return opened;
}

int file_read(const char *path, char **ret_text, size_t *ret_len, struct file_trust *ret_trust,
	struct config_error *ret_error)
{
	CLEANUP(cleanup_fd) int fd = open_regular(path, ret_trust, ret_error);
	if (fd < 0)
		return fd;
	/* Not zeroed: only the bytes that are read are used. */
	CLEANUP(cleanup_free) char *text = mem_resize(NULL, 1, BYTES_MAX + 1);
	size_t len = 0;
	ssize_t got;
	do {
		got = read(fd, text + len, BYTES_MAX + 1 - len);
		if (got < 0 && errno != EINTR)
			return file_error(path, errno, ret_error);
		len += got > 0 ? (size_t)got : 0;
	} while (got != 0 && len <= BYTES_MAX);
	if (len > BYTES_MAX) {
		error_set(ret_error, path, 0, NULL, "larger than 1 MiB");
		return -EFBIG;
	}
	*ret_text = text;
	*ret_len = len;
	text = NULL;
	return 0;
}
