/* The guardian: a grandchild in its own session, which ignores the terminal's signals. */
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
#include <sys/prctl.h>
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

__attribute__((noreturn)) static void guard(const struct guarded *guarded, int orders, int done)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP };
	struct watched_process watched = { .count = 0 };
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "dbtop-guardian");
	/* the guardian must not keep a terminal, a pipe or a socket of ours open */
	dup2(orders, 0);
	dup2(done, 1);
	close_range(2, ~0U, 0);
	read_orders(0, &watched);
	end_all(&watched);
	remove_folder(guarded);
	_exit(0);
}

/* Forks twice. If the guardian cannot be forked, the exit status of the child in between is the
 * errno. Returns 0 or a negative errno. */
static int fork_guardian(const struct guarded *guarded, int orders, int done)
{
	int status;
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		setsid();
		pid_t guardian = fork();
		if (guardian == 0)
			guard(guarded, orders, done);
		_exit(guardian < 0 ? errno : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int guardian_start(const char *folder, uid_t uid, gid_t gid, struct guardian *ret_guardian)
{
	const struct guarded guarded = { folder, uid, gid };
	int orders[2], done[2];
	if (pipe2(orders, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(done, O_CLOEXEC) < 0) {
		int r = -errno;
		close(orders[0]);
		close(orders[1]);
		return r;
	}
	/* the guardian uses descriptors 0 and 1, so neither pipe may have one of these numbers */
	int in = fcntl(orders[0], F_DUPFD_CLOEXEC, 3), out = fcntl(done[1], F_DUPFD_CLOEXEC, 3);
	int r = in < 0 || out < 0 ? -EMFILE : fork_guardian(&guarded, in, out);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	close(orders[0]);
	close(done[1]);
	if (r < 0) {
		close(orders[1]);
		close(done[0]);
		return r;
	}
	*ret_guardian = (struct guardian){ .orders = orders[1], .done = done[0] };
	return 0;
}

void guardian_watch(struct guardian *guardian, pid_t pid)
{
	/* one write of a few bytes to a pipe is complete or fails */
	ssize_t written = write(guardian->orders, &pid, sizeof(pid));
	(void)written;
}

void guardian_finish(struct guardian *guardian)
{
	char byte;
	close(guardian->orders);
	while (read(guardian->done, &byte, 1) < 0 && errno == EINTR)
		;
	close(guardian->done);
}
