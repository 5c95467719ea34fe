/* Opens, moves aside, appends. */
#include "base/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static int make_folders(const char *path)
{
	CLEANUP(cleanup_free) char *folder = mem_strdup(path);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0700) != 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* O_NONBLOCK: a FIFO in the file's place must not hang us. */
static int open_file(const char *path, bool strict, int *ret_fd, struct stat *ret_stat)
{
	int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	CLEANUP(cleanup_fd)
	int fd = open(path, flags | O_RDWR | (strict ? O_NOFOLLOW : 0), 0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	if (strict && !S_ISREG(st.st_mode))
		return -ENOTSUP;
	*ret_stat = st;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Moves the file aside, unless another program does so in this moment or has just done it. */
static int rotate(const char *path, int fd, const struct stat *st)
{
	struct stat named;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || lstat(path, &named) != 0 ||
		named.st_ino != st->st_ino || named.st_dev != st->st_dev)
		return 0;
	CLEANUP(cleanup_free) char *aside = mem_printf("%s.1", path);
	return rename(path, aside) == 0 ? 0 : -errno;
}

/* A line that a full disk cut short must not spoil the next one. */
static bool ends_in_mid_line(int fd, const struct stat *st)
{
	char last;
	return S_ISREG(st->st_mode) && st->st_size > 0 &&
		pread(fd, &last, 1, st->st_size - 1) == 1 && last != '\n';
}

static int write_line(int fd, const struct stat *st, const char *line)
{
	CLEANUP(cleanup_free)
	char *whole = mem_printf("%s%s\n", ends_in_mid_line(fd, st) ? "\n" : "", line);
	size_t length = strlen(whole);
	ssize_t written = write(fd, whole, length);
	if (written < 0)
		return -errno;
	return (size_t)written == length ? 0 : -ENOSPC;
}

int journal_append(const char *path, const char *line, const struct journal_options *options)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct stat st;
	int r = options->make_folders ? make_folders(path) : 0;
	if (r == 0)
		r = open_file(path, options->strict, &fd, &st);
	if (r == 0 && S_ISREG(st.st_mode) && st.st_size >= options->size_max) {
		r = rotate(path, fd, &st);
		close(fd);
		fd = -1;
		if (r == 0)
			r = open_file(path, options->strict, &fd, &st);
	}
	return r < 0 ? r : write_line(fd, &st, line);
}

const char *journal_strerror(int error)
{
	return error == -ENOTSUP ? "Not a regular file" : strerror(-error);
}
