/* Starts a command with fork and exec; a pipe reports an error of exec. */
#include "modes/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/process.h"

/* Runs in the child; never returns. */
__attribute__((noreturn)) static void become(char *const argv[], int report, pid_t parent)
{
	sigset_t none;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	if (isatty(STDIN_FILENO)) {
		int null = open("/dev/null", O_RDONLY);
		dup2(null, STDIN_FILENO);
		close(null);
	}
	dup2(STDERR_FILENO, STDOUT_FILENO);
	/* the command must not inherit the signals that dbtop ignores or blocks */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	int error = errno;
	ssize_t written = write(report, &error, sizeof(error));
	(void)written;
	_exit(127);
}

/* If the pipe is closed without data, exec has succeeded; otherwise it contains an errno. */
static int wait_for_exec(int report)
{
	int error = 0;
	ssize_t n;
	do
		n = read(report, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? -error : 0;
}

static int identify(pid_t pid, struct command *ret_command)
{
	*ret_command = (struct command){ .pid = pid };
	return process_start_ticks("/proc", pid, &ret_command->start_ticks);
}

int command_start(char *const argv[], struct command *ret_command)
{
	int report[2];
	pid_t parent = getpid();
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		become(argv, report[1], parent);
	int r = pid < 0 ? -errno : 0;
	close(report[1]);
	/* parent and child both call setpgid(), because either may run first */
	if (r == 0)
		(void)setpgid(pid, pid);
	if (r == 0)
		r = wait_for_exec(report[0]);
	close(report[0]);
	if (r < 0 && pid > 0)
		waitpid(pid, NULL, 0);
	/* the child is not waited for yet, so no other process can have its pid */
	return r < 0 ? r : identify(pid, ret_command);
}

void command_note_reaped(struct command *command, pid_t pid, int status)
{
	if (pid != command->pid || command->reaped)
		return;
	command->reaped = true;
	command->status = status;
}

/* Until the command is waited for, no other process or group can have its pid as number. */
int command_signal(const struct command *command, int signal_number, bool alone)
{
	if (command->reaped)
		return -ESRCH;
	return kill(alone ? command->pid : -command->pid, signal_number) == 0 ? 0 : -errno;
}
