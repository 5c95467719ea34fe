/* The sweeper: a grandchild in its own session, which reads the environment of all processes. */
#include "sweeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PAUSE_US 20000

/* A program that is just being started may have started another one: none is left when so many
 * scans in a row find none. */
#define CLEAN_SCANS 3

/* So that one that cannot be killed holds up no test. */
#define MOST_SCANS 250

static FILE *open_file(pid_t pid, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

/* A private server shuts down by its guardian, with all that it has in shared memory. */
static bool is_spared(pid_t pid)
{
	char name[32];
	CLEANUP(cleanup_file) FILE *file = open_file(pid, "comm");
	if (!file || !fgets(name, sizeof(name), file))
		return false;
	name[strcspn(name, "\n")] = '\0';
	return strcmp(name, "postgres") == 0 || strcmp(name, "dbtop-guardian") == 0;
}

static bool has_setting(pid_t pid, const char *setting)
{
	char *variable = NULL;
	size_t size = 0;
	bool found = false;
	CLEANUP(cleanup_file) FILE *file = open_file(pid, "environ");
	while (file && !found && getdelim(&variable, &size, '\0', file) > 0)
		found = strcmp(variable, setting) == 0;
	free(variable);
	return found;
}

/* One that has ended is not left, though nobody has waited for it. */
static bool has_ended(pid_t pid)
{
	char state = 'Z';
	CLEANUP(cleanup_file) FILE *file = open_file(pid, "stat");
	return !file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z';
}

/* Whether there was one. */
static bool kill_all(const char *setting)
{
	bool any = false;
	CLEANUP(cleanup_dir) DIR *processes = opendir("/proc");
	for (const struct dirent *entry; processes && (entry = readdir(processes));) {
		pid_t pid = atoi(entry->d_name);
		if (pid <= 0 || pid == getpid() || !has_setting(pid, setting) || is_spared(pid) ||
			has_ended(pid))
			continue;
		any = true;
		(void)kill(pid, SIGKILL);
	}
	return any;
}

__attribute__((noreturn)) static void sweep(const char *setting, int life, int done)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP };
	char byte;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "live-sweeper");
	/* it keeps no terminal, no pipe and no socket of the test's open */
	dup2(life, 0);
	dup2(done, 1);
	close_range(2, ~0U, 0);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	for (int clean = 0, scans = 0; clean < CLEAN_SCANS && scans < MOST_SCANS; scans++) {
		clean = kill_all(setting) ? 0 : clean + 1;
		usleep(PAUSE_US);
	}
	_exit(0);
}

/* Forks twice, so that nobody waits for it. */
static int fork_sweeper(const char *setting, int life, int done)
{
	int status;
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		setsid();
		pid_t sweeper = fork();
		if (sweeper == 0)
			sweep(setting, life, done);
		_exit(sweeper < 0 ? errno : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* Both ends above the standard descriptors, which the sweeper uses. */
static int open_pipe(int ret_ends[2])
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		ret_ends[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
		close(ends[i]);
	}
	return ret_ends[0] < 0 || ret_ends[1] < 0 ? -EMFILE : 0;
}

int sweeper_start(const char *value, struct sweeper *ret_sweeper)
{
	int life[2], done[2];
	char setting[128];
	snprintf(setting, sizeof(setting), SWEEPER_VARIABLE "=%s", value);
	int r = open_pipe(life);
	if (r == 0)
		r = open_pipe(done);
	if (r == 0)
		r = fork_sweeper(setting, life[0], done[1]);
	if (r < 0)
		return r;
	close(life[0]);
	close(done[1]);
	*ret_sweeper = (struct sweeper){ .life = life[1], .done = done[0] };
	return setenv(SWEEPER_VARIABLE, value, 1) == 0 ? 0 : -errno;
}

void sweeper_finish(struct sweeper *sweeper)
{
	char byte;
	close(sweeper->life);
	while (read(sweeper->done, &byte, 1) < 0 && errno == EINTR)
		;
	close(sweeper->done);
}
