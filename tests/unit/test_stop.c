/* action/stop: SIGTERM, the grace, SIGKILL; and nobody else's process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "action/stop.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/action.h"
#include "proc/process.h"

#define MSEC USEC_PER_MSEC

struct fixture {
	uv_loop_t loop;
	struct action action;
	struct stopper *stopper;
	int told;
};

static void on_changed(void *data, struct action_step *step)
{
	struct fixture *fixture = data;
	(void)step;
	fixture->told++;
}

static void open_fixture(struct fixture *fixture, enum stop_way way, int64_t grace)
{
	*fixture = (struct fixture){
		.action = { .arena = arena_new(), .stop_way = way, .grace = grace },
	};
	uv_loop_init(&fixture->loop);
	fixture->stopper = stop_new(
		&fixture->loop, "/proc", &(struct step_callbacks){ fixture, on_changed, NULL });
}

static void close_fixture(struct fixture *fixture)
{
	stop_free(fixture->stopper);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	arena_free(fixture->action.arena);
}

/* A child that sleeps; it has set its disposition when we return. */
static pid_t start_child(bool stubborn)
{
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, stubborn ? SIG_IGN : SIG_DFL);
		(void)!write(ready[1], "r", 1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static struct action_step process_of(pid_t pid)
{
	struct action_step process = { .kind = STEP_PROCESS, .pid = pid, .process.took = -1 };
	assert_int_equal(process_start_ticks("/proc", pid, &process.process.start_ticks), 0);
	return process;
}

static void run_until_settled(struct fixture *fixture)
{
	while (stop_busy(fixture->stopper))
		uv_run(&fixture->loop, UV_RUN_ONCE);
}

static int ended_by(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return WTERMSIG(status);
}

static void who_obeys_is_not_killed(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, STOP_THEN_KILL, 3600 * USEC_PER_SEC);
	pid_t pid = start_child(false);
	struct action_step process = process_of(pid);
	stop_begin(fixture.stopper, &fixture.action, &process);
	assert_int_equal(process.process.signal, SIGTERM);
	assert_int_equal(fixture.told, 1);
	run_until_settled(&fixture);
	assert_int_equal(process.result, RESULT_TERMINATED);
	assert_int_equal(process.process.signal, SIGTERM);
	assert_null(process.detail);
	assert_true(process.process.took >= 0);
	assert_int_equal(fixture.told, 2);
	assert_int_equal(ended_by(pid), SIGTERM);
	close_fixture(&fixture);
}

static void who_does_not_is_killed_after_the_grace(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, STOP_THEN_KILL, 200 * MSEC);
	pid_t obedient = start_child(false), stubborn = start_child(true);
	struct action_step first = process_of(obedient), second = process_of(stubborn);
	stop_begin(fixture.stopper, &fixture.action, &first);
	stop_begin(fixture.stopper, &fixture.action, &second);
	run_until_settled(&fixture);
	assert_int_equal(first.process.signal, SIGTERM);
	assert_int_equal(second.result, RESULT_TERMINATED);
	assert_int_equal(second.process.signal, SIGKILL);
	assert_true(second.process.took >= 200 * MSEC);
	assert_non_null(second.detail);
	assert_int_equal(ended_by(obedient), SIGTERM);
	assert_int_equal(ended_by(stubborn), SIGKILL);
	close_fixture(&fixture);
}

static void force_leaves_no_grace(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, STOP_BY_KILL, 3600 * USEC_PER_SEC);
	pid_t pid = start_child(true);
	struct action_step process = process_of(pid);
	stop_begin(fixture.stopper, &fixture.action, &process);
	assert_int_equal(process.process.signal, SIGKILL);
	run_until_settled(&fixture);
	assert_int_equal(process.result, RESULT_TERMINATED);
	assert_int_equal(ended_by(pid), SIGKILL);
	close_fixture(&fixture);
}

static void an_ended_process_and_the_new_one_of_its_pid_are_distinguished(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, STOP_THEN_KILL, MSEC);
	pid_t gone = start_child(false), another = start_child(false);
	struct action_step first = process_of(gone), second = process_of(another);
	kill(gone, SIGKILL);
	assert_int_equal(ended_by(gone), SIGKILL);
	second.process.start_ticks--;
	stop_begin(fixture.stopper, &fixture.action, &first);
	stop_begin(fixture.stopper, &fixture.action, &second);
	assert_false(stop_busy(fixture.stopper));
	assert_int_equal(first.result, RESULT_GONE);
	assert_int_equal(second.result, RESULT_CHANGED);
	assert_int_equal(second.process.signal, 0);
	assert_int_equal(waitpid(another, NULL, WNOHANG), 0);
	kill(another, SIGKILL);
	assert_int_equal(ended_by(another), SIGKILL);
	close_fixture(&fixture);
}

/* exec() keeps the pid and the start: only the program tells them apart. */
static void who_runs_another_program_by_now_is_left_alone(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, STOP_BY_KILL, MSEC);
	char link[32], path[4096];
	pid_t pid = start_child(false);
	struct action_step changed = process_of(pid), same = changed;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	ssize_t length = readlink(link, path, sizeof(path) - 16);
	assert_true(length > 0);
	path[length] = '\0';
	changed.process.executable = "/usr/bin/psql";
	stop_begin(fixture.stopper, &fixture.action, &changed);
	assert_int_equal(changed.result, RESULT_CHANGED);
	assert_int_equal(changed.process.signal, 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	/* its file was replaced meanwhile, or before */
	strcat(path, " (deleted)");
	same.process.executable = path;
	stop_begin(fixture.stopper, &fixture.action, &same);
	run_until_settled(&fixture);
	assert_int_equal(same.result, RESULT_TERMINATED);
	assert_int_equal(ended_by(pid), SIGKILL);
	close_fixture(&fixture);
}

static void interrupted_it_says_what_was_sent(void **state)
{
	(void)state;
	struct fixture fixture;
	open_fixture(&fixture, STOP_THEN_KILL, 100 * MSEC);
	pid_t pid = start_child(true);
	struct action_step process = process_of(pid);
	stop_begin(fixture.stopper, &fixture.action, &process);
	stop_interrupt(fixture.stopper);
	assert_false(stop_busy(fixture.stopper));
	assert_int_equal(process.result, RESULT_TIMEOUT);
	assert_string_equal(process.detail, "interrupted: SIGTERM was sent");
	usleep(300 * 1000);
	uv_run(&fixture.loop, UV_RUN_NOWAIT);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	assert_int_equal(ended_by(pid), SIGKILL);
	close_fixture(&fixture);
}

/* --- a pid that is used again, for real --- */

/* The first process of a pid namespace, with a /proc of its own: there, and only there, the next
 * pid can be chosen without taking it from the machine. Exits 0 when all is as it should be, else
 * with the line that is not. */
#define FORBIDDEN 255
#define CHECK(condition)                                                                           \
	if (!(condition))                                                                          \
	_exit(__LINE__ % 251 + 1)

static pid_t start_child_as(pid_t wanted)
{
	char text[16];
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	int length = snprintf(text, sizeof(text), "%d", wanted - 1);
	CHECK(fd >= 0 && write(fd, text, (size_t)length) == length);
	close(fd);
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void reuse_a_pid(void)
{
	struct action_step planned = { .kind = STEP_PROCESS, .pid = 300, .process.took = -1 };
	struct fixture fixture;
	uint64_t start;
	CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
	CHECK(start_child_as(300) == 300);
	CHECK(process_start_ticks("/proc", 300, &planned.process.start_ticks) == 0);
	kill(300, SIGKILL);
	CHECK(waitpid(300, NULL, 0) == 300);
	/* a tick later, or they could not be told apart by their start */
	usleep(50 * 1000);
	CHECK(start_child_as(300) == 300);
	CHECK(process_start_ticks("/proc", 300, &start) == 0 &&
		start != planned.process.start_ticks);
	open_fixture(&fixture, STOP_BY_KILL, MSEC);
	stop_begin(fixture.stopper, &fixture.action, &planned);
	CHECK(planned.result == RESULT_CHANGED && planned.process.signal == 0);
	CHECK(!stop_busy(fixture.stopper));
	CHECK(waitpid(300, NULL, WNOHANG) == 0);
	_exit(0);
}

static void a_pid_that_is_used_again_is_not_signalled(void **state)
{
	(void)state;
	/* an ordinary user needs a user namespace for it */
	int flags = CLONE_NEWPID | CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(flags) != 0 && errno == EPERM)
			_exit(FORBIDDEN);
		/* what is mounted on /proc stays in here; "/" is no mount point in a chroot */
		CHECK(mount(NULL, "/proc", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
		pid_t first = fork();
		if (first == 0)
			reuse_a_pid();
		int status;
		CHECK(first > 0 && waitpid(first, &status, 0) == first && WIFEXITED(status));
		_exit(WEXITSTATUS(status));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	/* a container may not have one: the start time injected above has to do */
	if (WEXITSTATUS(status) == FORBIDDEN)
		print_message("no pid namespace is to be had here\n");
	else
		assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_obeys_is_not_killed),
		cmocka_unit_test(who_does_not_is_killed_after_the_grace),
		cmocka_unit_test(force_leaves_no_grace),
		cmocka_unit_test(an_ended_process_and_the_new_one_of_its_pid_are_distinguished),
		cmocka_unit_test(who_runs_another_program_by_now_is_left_alone),
		cmocka_unit_test(interrupted_it_says_what_was_sent),
		cmocka_unit_test(a_pid_that_is_used_again_is_not_signalled),
	};
	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
