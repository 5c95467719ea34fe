#include "demo/cleaner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct work {
	const char *name;
	void (*clean)(const void *data);
	const void *data;
};

__attribute__((noreturn)) static void run(const struct work *work, int orders, int done)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP };
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, work->name);
	/* it must not keep a terminal, a pipe or a socket of ours open */
	dup2(orders, 0);
	dup2(done, 1);
	close_range(2, ~0U, 0);
	work->clean(work->data);
	_exit(0);
}

/* Forks twice, so that nobody has to wait for the process. If it cannot be forked, the exit status
 * of the child in between is the errno. Returns 0 or a negative errno. */
static int fork_twice(const struct work *work, int orders, int done)
{
	int status;
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		setsid();
		pid_t cleaner = fork();
		if (cleaner == 0)
			run(work, orders, done);
		_exit(cleaner < 0 ? errno : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int cleaner_start(const char *name, void (*clean)(const void *data), const void *data,
	struct cleaner *ret_cleaner)
{
	const struct work work = { name, clean, data };
	int orders[2], done[2];
	if (pipe2(orders, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(done, O_CLOEXEC) < 0) {
		int r = -errno;
		close(orders[0]);
		close(orders[1]);
		return r;
	}
	/* the process uses descriptors 0 and 1, so neither pipe may have one of these numbers */
	int in = fcntl(orders[0], F_DUPFD_CLOEXEC, 3), out = fcntl(done[1], F_DUPFD_CLOEXEC, 3);
	int r = in < 0 || out < 0 ? -EMFILE : fork_twice(&work, in, out);
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
	*ret_cleaner = (struct cleaner){ .orders = orders[1], .done = done[0] };
	return 0;
}

void cleaner_finish(struct cleaner *cleaner)
{
	char byte;
	close(cleaner->orders);
	while (read(cleaner->done, &byte, 1) < 0 && errno == EINTR)
		;
	close(cleaner->done);
}
