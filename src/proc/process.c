/* A pid may be used again by another process; a pidfd always refers to the same process. The pidfd
 * is opened first, then the start time is read. If that is the expected one, the pid belonged to
 * the expected process both before and after, so the pidfd refers to it. */
#include "proc/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/procfs.h"

/* Reads the start time of the process with this pid. */
static int read_start(int root, int32_t pid, uint64_t *ret_start_ticks)
{
	char path[32];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "%" PRId32 "/stat", pid);
	int r = procfs_stat_at(root, path, &stat);
	if (r == 0)
		*ret_start_ticks = stat.start_ticks;
	return r;
}

static int open_root(const char *proc_root)
{
	int fd = open(proc_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int process_start_ticks(const char *proc_root, int32_t pid, uint64_t *ret_start_ticks)
{
	CLEANUP(cleanup_fd) int root = open_root(proc_root);
	return root < 0 ? root : read_start(root, pid, ret_start_ticks);
}

bool process_has_ended(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	return poll(&pollfd, 1, 0) == 1;
}

int process_open(int32_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}

int process_hold(const char *proc_root, int32_t pid, uint64_t start_ticks, int *ret_fd)
{
	CLEANUP(cleanup_fd) int fd = process_open(pid);
	if (fd < 0)
		return fd;
	CLEANUP(cleanup_fd) int root = open_root(proc_root);
	if (root < 0)
		return root;
	if (procfs_is_foreign(root))
		return -EACCES;
	uint64_t found = 0;
	int r = read_start(root, pid, &found);
	/* a process that exists but is hidden from us has not ended */
	if (r == -ESRCH && !process_has_ended(fd))
		return -EACCES;
	if (r < 0)
		return r;
	if (found != start_ticks)
		return -ESTALE;
	if (process_has_ended(fd))
		return -ESRCH;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int process_signal(int fd, int signal)
{
	return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0 ? 0 : -errno;
}
