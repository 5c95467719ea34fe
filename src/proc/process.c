/* A pid may be used again by another process; a pidfd always refers to the same process. The pidfd
 * is opened first, then the start time is read. If that is the expected one, the pid belonged to
 * the expected process both before and after, so the pidfd refers to it. */
#include "proc/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

/* linux/pidfd.h, since Linux 6.9 */
#define SIGNAL_GROUP (1u << 2)

/* Fields are numbered as in proc(5): the first after the name is 3, the state. */
#define FIELD_STATE 3
#define FIELD_START 22

/* The name may contain anything, also ") S 1 (": it ends at the last bracket. */
static int parse_start(const char *stat, uint64_t *ret_start_ticks)
{
	const char *at = strrchr(stat, ')');
	if (!at || at[1] != ' ' || !at[2])
		return -EBADMSG;
	at += 2;
	for (int field = FIELD_STATE; field < FIELD_START; field++) {
		at = strchr(at, ' ');
		if (!at)
			return -EBADMSG;
		at++;
	}
	char *end;
	errno = 0;
	uint64_t start = strtoull(at, &end, 10);
	if (errno || end == at)
		return -EBADMSG;
	*ret_start_ticks = start;
	return 0;
}

/* True if the tree is of another pid namespace: its pids are other processes here. */
static bool is_foreign(const char *proc_root)
{
	char path[256], self[16];
	struct statfs fs;
	if (statfs(proc_root, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	snprintf(path, sizeof(path), "%s/self", proc_root);
	ssize_t length = readlink(path, self, sizeof(self) - 1);
	self[length > 0 ? length : 0] = '\0';
	return strtol(self, NULL, 10) != getpid();
}

int process_start_ticks(const char *proc_root, int32_t pid, uint64_t *ret_start_ticks)
{
	char path[256], text[1024];
	snprintf(path, sizeof(path), "%s/%" PRId32 "/stat", proc_root, pid);
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	return parse_start(text, ret_start_ticks);
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
	if (is_foreign(proc_root))
		return -EACCES;
	uint64_t found;
	int r = process_start_ticks(proc_root, pid, &found);
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

int process_signal_group(int fd, int32_t leader, int signal)
{
	if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, SIGNAL_GROUP) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* older kernel: signal 0 shows whether the leader, alive or a zombie, still has the pid */
	int r = process_signal(fd, 0);
	if (r < 0)
		return r;
	return kill(-leader, signal) == 0 ? 0 : -errno;
}
