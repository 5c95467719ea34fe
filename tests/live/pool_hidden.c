/* Roles of processes that /proc does not show: they run as "unshare --pid --fork --mount". */
#include "pool_client.h"

#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Gives up root's group, because root and its group can see all processes despite hidepid. In a
 * user namespace the group is the user's. */
static void see_less(void)
{
	if (setgroups(0, NULL) == 0)
		CHECK(setgid(65534) == 0);
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	CHECK(syscall(SYS_capget, &header, data) == 0);
	data[0].effective &= ~(1u << CAP_SYS_PTRACE);
	data[0].permitted &= ~(1u << CAP_SYS_PTRACE);
	data[0].inheritable &= ~(1u << CAP_SYS_PTRACE);
	CHECK(syscall(SYS_capset, &header, data) == 0);
}

static struct dbpool_config hidden_config(void)
{
	struct dbpool_config config = role_config();
	config.name = "hidden";
	config.max = 1;
	return config;
}

/* A worker of a hardened service: its session must survive the start of its sibling. */
static void first(int ready, int go)
{
	struct dbpool_config config = hidden_config();
	struct dbpool_lease lease;
	char byte = 0;
	config.no_predecessors = 1;
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	long pid = role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()");
	CHECK(write(ready, &byte, 1) == 1);
	CHECK(read(go, &byte, 1) == 1);
	CHECK(role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()") == pid);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(role_events(DBPOOL_EVENT_LOST) == 0);
	_exit(0);
}

/* Must not consider its sibling dead. */
static void second(pid_t sibling, bool hidden)
{
	struct dbpool_config config = hidden_config();
	char path[32];
	see_less();
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)sibling);
	CHECK(!hidden || access(path, F_OK) < 0);
	role_start(&config);
	CHECK(role_events(DBPOOL_EVENT_PREDECESSOR) == 0);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	_exit(0);
}

/* Gives the next child the number that is our own pid in the /proc of the outer namespace. */
static void take_outer_pid(void)
{
	char outer[24];
	ssize_t n = readlink("/proc/self", outer, sizeof(outer) - 1);
	CHECK(n > 0);
	outer[n] = '\0';
	FILE *file = fopen("/proc/sys/kernel/ns_last_pid", "w");
	CHECK(file && fprintf(file, "%d", atoi(outer) - 1) > 0 && fclose(file) == 0);
	usleep(50 * 1000); /* the child starts in another tick than we did */
}

/* "hidepid": /proc hides living processes. "foreign": /proc is of another pid namespace. */
static int hidden(const char *argument)
{
	bool hide = strcmp(argument, "hidepid") == 0;
	int ready[2], go[2], status;
	char byte = 0;
	if (!hide)
		take_outer_pid();
	else
		/* the mount must not be visible outside */
		CHECK(mount(NULL, "/proc", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			mount("proc", "/proc", "proc", 0, "hidepid=2") == 0);
	CHECK(pipe(ready) == 0 && pipe(go) == 0);
	pid_t one = fork();
	if (one == 0)
		first(ready[1], go[0]);
	close(ready[1]);
	CHECK(one > 0 && read(ready[0], &byte, 1) == 1);
	pid_t other = fork();
	if (other == 0)
		second(one, hide);
	CHECK(other > 0 && waitpid(other, &status, 0) == other && status == 0);
	CHECK(write(go[1], &byte, 1) == 1);
	CHECK(waitpid(one, &status, 0) == one && status == 0);
	return 0;
}

const struct role roles_hidden[] = {
	{ "hidden", hidden },
	{ NULL, NULL },
};
