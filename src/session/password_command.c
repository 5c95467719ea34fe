/* It blocks, so it runs on the thread of a round of connection attempts. */
#include "session/password_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"

extern char **environ;

/* Reads what is there. False when there will be no more. What does not fit is thrown away, and
 * *length is then PASSWORD_MAX. */
static bool drain(int fd, char text[static PASSWORD_MAX], size_t *length)
{
	char rest[256];
	for (;;) {
		bool fits = *length < PASSWORD_MAX;
		ssize_t got = fits ? read(fd, text + *length, PASSWORD_MAX - *length)
				   : read(fd, rest, sizeof(rest));
		if (got < 0 && errno == EINTR)
			continue;
		if (!fits)
			explicit_bzero(rest, sizeof(rest));
		if (got <= 0)
			return got < 0 && errno == EAGAIN;
		*length += fits ? (size_t)got : 0;
	}
}

/* Reads until the process has ended. False if its time is over, or we are woken. The pipe alone
 * does not tell: what the command leaves behind may keep it open. */
static bool read_output(int process, int out, int64_t deadline, int wake,
	char text[static PASSWORD_MAX], size_t *length)
{
	struct pollfd fds[] = {
		{ .fd = process, .events = POLLIN },
		{ .fd = out, .events = POLLIN },
		{ .fd = wake, .events = POLLIN },
	};
	for (;;) {
		int64_t left = deadline - instant_monotonic();
		if (left <= 0)
			return false;
		if (poll(fds, 3, (int)(left / USEC_PER_MSEC) + 1) < 0 && errno != EINTR)
			return false;
		if (fds[2].revents)
			return false;
		if (fds[1].revents && !drain(out, text, length))
			fds[1].fd = -1;
		if (fds[0].revents) {
			if (fds[1].fd >= 0)
				(void)drain(out, text, length);
			return true;
		}
	}
}

static int spawn(const char *const *argv, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes,
		POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	int r = posix_spawnp(ret_pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Its status, as waitpid() has it; −1 if somebody else has waited for it. */
static int reap(pid_t pid)
{
	int status;
	pid_t waited;
	do
		waited = waitpid(pid, &status, 0);
	while (waited < 0 && errno == EINTR);
	return waited == pid ? status : -1;
}

/* Makes a string of the first line. */
static const char *cut(char text[static PASSWORD_MAX], size_t length)
{
	size_t end = 0;
	while (end < length && text[end] != '\n' && text[end])
		end++;
	if (end == 0)
		return "the password command printed no password";
	if (end >= PASSWORD_MAX - 1)
		return "the password command printed too long a line";
	explicit_bzero(text + end, PASSWORD_MAX - end);
	return NULL;
}

static const char *run(
	const char *const *argv, int64_t deadline, int wake, char text[static PASSWORD_MAX])
{
	int ends[2];
	pid_t pid;
	size_t length = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return "the password command has no pipe";
	CLEANUP(cleanup_fd) int out = ends[0];
	int r = spawn(argv, ends[1], &pid);
	close(ends[1]);
	if (r < 0)
		return "the password command cannot be started";
	(void)fcntl(out, F_SETFL, O_NONBLOCK);
	CLEANUP(cleanup_fd) int process = (int)syscall(SYS_pidfd_open, pid, 0);
	bool ended = process >= 0 && read_output(process, out, deadline, wake, text, &length);
	/* also what it has left behind; its pid is not free before it is waited for */
	(void)kill(-pid, SIGKILL);
	int status = reap(pid);
	if (!ended)
		return "the password command did not end in time";
	if (status < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return "the password command failed";
	return cut(text, length);
}

const char *password_command_run(
	const char *const *argv, int seconds, int wake, char ret_password[static PASSWORD_MAX])
{
	const char *error =
		run(argv, instant_monotonic() + seconds * USEC_PER_SEC, wake, ret_password);
	if (error)
		explicit_bzero(ret_password, PASSWORD_MAX);
	return error;
}

char **argv_copy(const char *const *argv)
{
	size_t count = 0;
	while (argv && argv[count])
		count++;
	if (count == 0)
		return NULL;
	char **copy = mem_alloc((count + 1) * sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = mem_strdup(argv[i]);
	return copy;
}

void argv_free(char **argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
}
