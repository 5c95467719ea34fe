#include "demo/guardian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PROCESSES 256
/* A postmaster gives its children 5 s to end before it kills them. One that is stopped, or hangs in
 * the kernel, would be left behind if the postmaster were killed first. */
#define QUIT_TIMEOUT_MS 8000
#define KILL_TIMEOUT_MS 2000

#define DEEPEST    64 /* the deepest nesting of folders */
#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

/* What is removed at the end. */
struct guarded {
	const char *folder;
	uid_t uid; /* the other user whose files may be in the folder */
	gid_t gid;
};

/* pidfds, because a pid may be reused before the end. */
struct watched_process {
	int fds[MOST_PROCESSES];
	int count;
};

static int open_process(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void signal_process(int pidfd, int signal_number)
{
	(void)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

static void read_orders(int orders, struct watched_process *watched)
{
	pid_t pid;
	for (;;) {
		ssize_t n = read(orders, &pid, sizeof(pid));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(pid))
			return;
		int fd = open_process(pid);
		if (fd < 0)
			continue;
		if (watched->count < MOST_PROCESSES)
			watched->fds[watched->count++] = fd;
		else
			close(fd);
	}
}

static void wait_for_end(int pidfd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
	(void)poll(&pollfd, 1, timeout_ms);
}

/* Ends all processes, with SIGQUIT first: a postmaster then shuts down at once and ends its
 * children as well. */
static void end_all(const struct watched_process *watched)
{
	for (int i = watched->count - 1; i >= 0; i--)
		signal_process(watched->fds[i], SIGQUIT);
	for (int i = watched->count - 1; i >= 0; i--) {
		wait_for_end(watched->fds[i], QUIT_TIMEOUT_MS);
		signal_process(watched->fds[i], SIGKILL);
		wait_for_end(watched->fds[i], KILL_TIMEOUT_MS);
	}
}

/* True if the folder's content may be removed. Root may do so only where no other user can write:
 * elsewhere a folder could be replaced by a link at any time. */
static bool is_ours(int folder, dev_t device)
{
	struct stat st;
	return fstat(folder, &st) == 0 && st.st_dev == device && st.st_uid == geteuid() &&
		(geteuid() != 0 || !(st.st_mode & 022));
}

/* Removes what is in the folder. Closes the descriptor. Never follows a link, never leaves the file
 * system. */
static void empty_folder(int folder, dev_t device, int depth)
{
	DIR *dir = is_ours(folder, device) ? fdopendir(folder) : NULL;
	if (!dir) {
		close(folder);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir));) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
			unlinkat(folder, name, 0) == 0 || depth == DEEPEST)
			continue;
		int child = openat(folder, name, OPEN_FLAGS);
		if (child >= 0)
			empty_folder(child, device, depth + 1);
		(void)unlinkat(folder, name, AT_REMOVEDIR);
	}
	closedir(dir);
}

/* Removes what belongs to the other user, with that user's rights. */
static void empty_as(const struct guarded *guarded, dev_t device)
{
	pid_t child = fork();
	if (child < 0)
		return;
	if (child > 0) {
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	DIR *dir = fdopendir(open(guarded->folder, OPEN_FLAGS));
	if (!dir || setgroups(0, NULL) != 0 || setgid(guarded->gid) != 0 ||
		setuid(guarded->uid) != 0)
		_exit(1);
	for (const struct dirent *entry; (entry = readdir(dir));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int inner = openat(dirfd(dir), entry->d_name, OPEN_FLAGS);
		if (inner >= 0)
			empty_folder(inner, device, 0);
	}
	_exit(0);
}

/* Removes the folder. Tries several times, because a backend that is ending may still write a
 * file. */
static void remove_folder(const struct guarded *guarded)
{
	struct stat st;
	for (int round = 0; round < 20 && lstat(guarded->folder, &st) == 0; round++) {
		if (round)
			usleep(50 * 1000);
		if (geteuid() == 0 && guarded->uid != 0)
			empty_as(guarded, st.st_dev);
		int folder = open(guarded->folder, OPEN_FLAGS);
		if (folder >= 0)
			empty_folder(folder, st.st_dev, 0);
		(void)rmdir(guarded->folder);
	}
}

static void guard(const void *data)
{
	const struct guarded *guarded = data;
	struct watched_process watched = { .count = 0 };
	read_orders(0, &watched);
	end_all(&watched);
	remove_folder(guarded);
}

int guardian_start(const char *folder, uid_t uid, gid_t gid, struct cleaner *ret_guardian)
{
	const struct guarded guarded = { folder, uid, gid };
	return cleaner_start("dbtop-guardian", guard, &guarded, ret_guardian);
}

void guardian_watch(struct cleaner *guardian, pid_t pid)
{
	/* one write of a few bytes to a pipe is complete or fails */
	ssize_t written = write(guardian->orders, &pid, sizeof(pid));
	(void)written;
}
