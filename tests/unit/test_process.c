/* proc/process: a process is signalled only while it is the one that was planned for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/process.h"

/* A child that sleeps until it is signalled, in a group of its own. */
static pid_t start_child(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(setpgid(pid, pid), 0);
	return pid;
}

static void wait_for(pid_t pid, int signal)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal);
}

static void the_planned_process_is_held_and_signalled(void **state)
{
	(void)state;
	uint64_t start;
	int fd;
	pid_t pid = start_child();
	assert_int_equal(process_start_ticks("/proc", pid, &start), 0);
	assert_int_equal(process_hold("/proc", pid, start, &fd), 0);
	assert_false(process_has_ended(fd));
	assert_int_equal(process_signal(fd, SIGTERM), 0);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&pollfd, 1, 10000), 1);
	assert_true(process_has_ended(fd));
	wait_for(pid, SIGTERM);
	assert_int_equal(process_signal(fd, SIGTERM), -ESRCH);
	close(fd);
}

static void another_start_time_is_another_process(void **state)
{
	(void)state;
	uint64_t start;
	int fd = -1;
	pid_t pid = start_child();
	assert_int_equal(process_start_ticks("/proc", pid, &start), 0);
	assert_int_equal(process_hold("/proc", pid, start - 1, &fd), -ESTALE);
	assert_int_equal(process_hold("/proc", pid, start + 1, &fd), -ESTALE);
	assert_int_equal(fd, -1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	wait_for(pid, SIGKILL);
	assert_int_equal(process_hold("/proc", pid, start, &fd), -ESRCH);
}

static void a_zombie_has_ended(void **state)
{
	(void)state;
	uint64_t start;
	int fd = -1;
	siginfo_t info;
	pid_t pid = start_child();
	assert_int_equal(process_start_ticks("/proc", pid, &start), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_hold("/proc", pid, start, &fd), -ESRCH);
	wait_for(pid, SIGKILL);
}

static void a_name_full_of_brackets_is_no_riddle(void **state)
{
	(void)state;
	uint64_t start = 0;
	char root[] = "/tmp/dbtop-test-XXXXXX", folder[64], path[64];
	assert_non_null(mkdtemp(root));
	snprintf(folder, sizeof(folder), "%s/7", root);
	snprintf(path, sizeof(path), "%s/7/stat", root);
	assert_int_equal(mkdir(folder, 0700), 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("7 (a) S 1 (b) R 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 99 1\n", file);
	fclose(file);
	assert_int_equal(process_start_ticks(root, 7, &start), 0);
	assert_int_equal(start, 4242);
	assert_int_equal(process_start_ticks(root, 8, &start), -ESRCH);
	file = fopen(path, "w");
	fputs("7 (cut) S 1 2", file);
	fclose(file);
	assert_int_equal(process_start_ticks(root, 7, &start), -EBADMSG);
	unlink(path);
	rmdir(folder);
	rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_planned_process_is_held_and_signalled),
		cmocka_unit_test(another_start_time_is_another_process),
		cmocka_unit_test(a_zombie_has_ended),
		cmocka_unit_test(a_name_full_of_brackets_is_no_riddle),
	};
	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
