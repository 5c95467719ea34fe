/* Reads the environment of all processes. */
#include "sweeper.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
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

static void sweep(const void *setting)
{
	char byte;
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	for (int clean = 0, scans = 0; clean < CLEAN_SCANS && scans < MOST_SCANS; scans++) {
		clean = kill_all(setting) ? 0 : clean + 1;
		usleep(PAUSE_US);
	}
}

int sweeper_start(const char *value, struct cleaner *ret_sweeper)
{
	char setting[128];
	snprintf(setting, sizeof(setting), SWEEPER_VARIABLE "=%s", value);
	int r = cleaner_start("live-sweeper", sweep, setting, ret_sweeper);
	if (r < 0)
		return r;
	return setenv(SWEEPER_VARIABLE, value, 1) == 0 ? 0 : -errno;
}
