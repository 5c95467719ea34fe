/* Opens, rotates and appends to journals. */
#include "base/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/safe_folder.h"

/* An open folder, and the file's name in it. */
struct journal_place {
	int folder;
	const char *name;
};

/* Returns 0 if root may write to the target of a link: a terminal, a pipe, or a file in a safe
 * folder. */
static int check_target(int fd, const struct stat *st)
{
	char link[64], target[PATH_MAX];
	CLEANUP(cleanup_fd) int folder = -1;
	const char *name;
	if (!S_ISREG(st->st_mode))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	return safe_folder_of(target, 0, &folder, &name);
}

static bool is_link(const struct journal_place *place)
{
	struct stat st;
	return fstatat(place->folder, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISLNK(st.st_mode);
}

/* O_NONBLOCK: if the path is a FIFO, the open must not hang. */
static int open_file(
	const struct journal_place *place, bool strict, int *ret_fd, struct stat *ret_stat)
{
	int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	/* root creates no file through a link */
	bool root_follows = !strict && geteuid() == 0 && is_link(place);
	if (!root_follows)
		flags |= O_CREAT | (strict || geteuid() == 0 ? O_NOFOLLOW : 0);
	CLEANUP(cleanup_fd) int fd = openat(place->folder, place->name, flags, 0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	if (strict && !S_ISREG(st.st_mode))
		return -ENOTSUP;
	int r = root_follows ? check_target(fd, &st) : 0;
	if (r < 0)
		return r;
	*ret_stat = st;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Renames the file to PATH.1, unless another program is doing so or has just done it. */
static int rotate(const struct journal_place *place, int fd, const struct stat *st)
{
	struct stat named;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 ||
		fstatat(place->folder, place->name, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
		named.st_ino != st->st_ino || named.st_dev != st->st_dev)
		return 0;
	CLEANUP(cleanup_free) char *aside = mem_printf("%s.1", place->name);
	return renameat(place->folder, place->name, place->folder, aside) == 0 ? 0 : -errno;
}

/* True if the file ends with an incomplete line, which a full disk causes: the next line must not
 * continue it. */
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

static int open_journal(
	const char *path, const struct journal_options *options, int *ret_fd, struct stat *ret_stat)
{
	CLEANUP(cleanup_fd) int folder = -1;
	const char *name;
	int r = safe_folder_of(path, options->make_folders ? SAFE_FOLDER_MAKE : 0, &folder, &name);
	if (r < 0)
		return r;
	const struct journal_place place = { folder, name };
	CLEANUP(cleanup_fd) int fd = -1;
	r = open_file(&place, options->strict, &fd, ret_stat);
	if (r == 0 && S_ISREG(ret_stat->st_mode) && ret_stat->st_size >= options->size_max) {
		r = rotate(&place, fd, ret_stat);
		close(fd);
		fd = -1;
		if (r == 0)
			r = open_file(&place, options->strict, &fd, ret_stat);
	}
	*ret_fd = r < 0 ? -1 : fd;
	if (r == 0)
		fd = -1;
	return r;
}

int journal_append(const char *path, const char *line, const struct journal_options *options)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct stat st;
	int r = open_journal(path, options, &fd, &st);
	return r < 0 ? r : write_line(fd, &st, line);
}

int journal_open(
	const char *path, const struct journal_options *options, int *ret_fd, int64_t *ret_size)
{
	struct stat st;
	int r = open_journal(path, options, ret_fd, &st);
	if (r == 0)
		*ret_size = st.st_size;
	return r;
}

const char *journal_strerror(int error)
{
	switch (error) {
	case -ETIMEDOUT: return "The disk does not answer";
	case -ENOTSUP: return "Not a regular file";
	case SAFE_FOLDER_FOREIGN:
		return "Another user can write to its folder, so root does not write there";
	default: return strerror(-error);
	}
}
