/* proc/procfs, collect/follow and proc/process where /proc does not show what lives: mounted
 * with hidepid, or of another pid namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/arena.h"
#include "collect/follow.h"
#include "model/peers.h"
#include "proc/process.h"
#include "proc/procfs.h"

#define NOBODY 65534

/* Above every pid that a kernel gives. */
#define NO_PID 0x7ffffff0

static void write_map(const char *path, unsigned id)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%u %u 1", id, id);
	FILE *file = fopen(path, "w");
	if (!file || fwrite(text, 1, (size_t)length, file) != (size_t)length || fclose(file) != 0)
		_exit(100);
}

/* New namespaces; an ordinary user needs one of users as well. The next child has pid 1. */
static void enter(int namespaces)
{
	unsigned uid = geteuid(), gid = getegid();
	if (unshare(namespaces | (uid ? CLONE_NEWUSER : 0)) < 0)
		_exit(101);
	if (!uid)
		return;
	FILE *file = fopen("/proc/self/setgroups", "w");
	if (file) {
		fputs("deny", file);
		fclose(file);
	}
	write_map("/proc/self/uid_map", uid);
	write_map("/proc/self/gid_map", gid);
}

static void drop_rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];
	memset(none, 0, sizeof(none));
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		_exit(102);
	if (syscall(SYS_capset, &header, none) < 0)
		_exit(103);
}

/* In a child, whose status is that of `run`: 0 when all is as it should be, or a line's number. */
static void check_in_child(int (*run)(const char *folder), const char *folder)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(run(folder));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status))
		fail_msg("step %d", WEXITSTATUS(status));
}

#define CHECK(step, condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return step;                                                               \
	} while (0)

/* A process that lives and is hidden: nobody concludes that it has ended. */
static int look_at_hidden(const char *folder, pid_t hidden)
{
	struct procfs *procfs = procfs_new(folder);
	struct arena *arena = arena_new();
	struct procfs_stat stat;
	struct process process;
	int fd = -1;
	CHECK(1, procfs_stat(procfs, getpid(), &stat) == 0);
	CHECK(2, procfs_stat(procfs, hidden, &stat) == -EACCES);
	CHECK(3, procfs_exists(procfs, hidden));
	CHECK(4, procfs_describe(procfs, arena, hidden, &process, &stat) == -EACCES);
	CHECK(5, procfs_stat(procfs, NO_PID, &stat) == -ESRCH);
	CHECK(6, !procfs_exists(procfs, NO_PID));
	CHECK(7, process_hold(folder, hidden, 1, &fd) == -EACCES);
	CHECK(8, process_hold(folder, NO_PID, 1, &fd) < 0);
	arena_free(arena);
	procfs_free(procfs);
	return 0;
}

static int follow_hidden(const char *folder, pid_t hidden)
{
	uv_loop_t loop;
	struct follow_sample sample;
	const struct follow_callbacks callbacks = { 0 };
	CHECK(20, uv_loop_init(&loop) == 0);
	struct follow *follow = follow_new(&loop, folder, &callbacks);
	follow_process(follow, hidden, 1);
	CHECK(21, follow_scan_here(follow, false, &sample));
	CHECK(22, sample.n_processes == 1);
	CHECK(23, sample.processes[0].pid == hidden);
	CHECK(24, sample.processes[0].refused);
	CHECK(25, !sample.processes[0].exiting);
	arena_free(sample.arena);
	follow_free(follow);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return 0;
}

/* Both are children of the new namespace's init, of one user and without rights; the one cannot be
 * looked into. */
static int look_while_another_lives(const char *folder)
{
	int ready[2], step;
	char byte;
	if (pipe(ready) < 0)
		return 30;
	pid_t hidden = fork();
	if (hidden == 0) {
		drop_rights();
		if (prctl(PR_SET_DUMPABLE, 0) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return 31;
	pid_t looker = fork();
	if (looker == 0) {
		drop_rights();
		step = look_at_hidden(folder, hidden);
		_exit(step ? step : follow_hidden(folder, hidden));
	}
	waitpid(looker, &step, 0);
	kill(hidden, SIGKILL);
	waitpid(hidden, NULL, 0);
	return WIFEXITED(step) ? WEXITSTATUS(step) : 32;
}

static int hide(const char *folder)
{
	int status;
	enter(CLONE_NEWNS | CLONE_NEWPID);
	pid_t init = fork();
	if (init == 0) {
		/* what is mounted there stays in here; "/" is no mount point in a chroot */
		if (mount(NULL, folder, NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("proc", folder, "proc", 0, "hidepid=2") < 0)
			_exit(40);
		_exit(look_while_another_lives(folder));
	}
	return waitpid(init, &status, 0) == init && WIFEXITED(status) ? WEXITSTATUS(status) : 41;
}

static void what_is_hidden_has_not_ended(void **state)
{
	(void)state;
	check_in_child(hide, "/proc");
}

/* /proc is the parent namespace's: its numbers are not ours. */
static int look_from_within(const char *folder)
{
	struct procfs *procfs = procfs_new(folder);
	struct procfs_stat stat;
	int fd = -1;
	CHECK(50, getpid() == 1);
	CHECK(51, procfs_stat(procfs, NO_PID, &stat) == -EACCES);
	CHECK(52, procfs_exists(procfs, NO_PID));
	/* pid 1 is we ourselves, and there it is another: by its start it would be the planned one
	 */
	CHECK(53, procfs_stat(procfs, 1, &stat) == 0);
	CHECK(54, process_hold(folder, 1, stat.start_ticks, &fd) == -EACCES);
	procfs_free(procfs);
	return 0;
}

static int leave(const char *folder)
{
	int status;
	enter(CLONE_NEWPID);
	pid_t init = fork();
	if (init == 0)
		_exit(look_from_within(folder));
	return waitpid(init, &status, 0) == init && WIFEXITED(status) ? WEXITSTATUS(status) : 60;
}

static void a_foreign_tree_says_nothing_of_ours(void **state)
{
	(void)state;
	check_in_child(leave, "/proc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_hidden_has_not_ended),
		cmocka_unit_test(a_foreign_tree_says_nothing_of_ours),
	};
	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
