/* The cleaner: a grandchild in a session of its own, deaf to the terminal's signals. */
#include "app/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PROCESSES  256
#define QUIT_TIMEOUT_MS 3000
#define KILL_TIMEOUT_MS 2000

/* pidfds: a pid may be used again before the end. */
struct watched {
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

static void read_orders(int orders, struct watched *watched)
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

/* SIGQUIT is a postmaster's immediate shutdown, in which it ends its children as well. */
static void end_all(const struct watched *watched)
{
	for (int i = watched->count - 1; i >= 0; i--)
		signal_process(watched->fds[i], SIGQUIT);
	for (int i = watched->count - 1; i >= 0; i--) {
		wait_for_end(watched->fds[i], QUIT_TIMEOUT_MS);
		signal_process(watched->fds[i], SIGKILL);
		wait_for_end(watched->fds[i], KILL_TIMEOUT_MS);
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

/* Never follows a link, never leaves the file system. A backend that is just ending may still write
 * a file: hence a few rounds. */
static void remove_folder(const char *folder)
{
	for (int round = 0; round < 20 && access(folder, F_OK) == 0; round++) {
		if (round)
			usleep(50 * 1000);
		(void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	}
}

__attribute__((noreturn)) static void guard(const char *folder, int orders, int done)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP };
	struct watched watched = { .count = 0 };
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "dbtop-guardian");
	/* nothing of ours may keep a terminal, a pipe or a socket open */
	dup2(orders, 0);
	dup2(done, 1);
	close_range(2, ~0U, 0);
	read_orders(0, &watched);
	end_all(&watched);
	remove_folder(folder);
	_exit(0);
}

/* The caller's signal handlers must not run in here. */
static void fork_guardian(const char *folder, int orders, int done)
{
	pid_t child = fork();
	if (child == 0) {
		setsid();
		if (fork() == 0)
			guard(folder, orders, done);
		_exit(0);
	}
	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
}

int guardian_start(const char *folder, struct guardian *ret_guardian)
{
	int orders[2], done[2];
	if (pipe2(orders, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(done, O_CLOEXEC) < 0) {
		int r = -errno;
		close(orders[0]);
		close(orders[1]);
		return r;
	}
	/* the guardian's descriptors are 0 and 1: none of the pipes may be */
	int in = fcntl(orders[0], F_DUPFD_CLOEXEC, 3), out = fcntl(done[1], F_DUPFD_CLOEXEC, 3);
	fork_guardian(folder, in, out);
	close(in);
	close(out);
	close(orders[0]);
	close(done[1]);
	*ret_guardian = (struct guardian){ .orders = orders[1], .done = done[0] };
	return 0;
}

void guardian_watch(struct guardian *guardian, pid_t pid)
{
	/* one write of a few bytes to a pipe is whole or fails */
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
