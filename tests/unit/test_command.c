/* modes/command: a program in a process group of its own, which is signalled only while the group's
 * number is surely its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modes/command.h"

static struct command start(void)
{
	char program[] = "sleep", seconds[] = "1000";
	char *argv[] = { program, seconds, NULL };
	struct command command;
	assert_int_equal(command_start(argv, &command), 0);
	assert_false(command.reaped);
	assert_int_equal(getpgid(command.pid), command.pid);
	return command;
}

static int reap(struct command *command)
{
	int status;
	assert_int_equal(waitpid(command->pid, &status, 0), command->pid);
	command_note_reaped(command, command->pid, status);
	return status;
}

static void a_running_command_is_signalled(void **state)
{
	(void)state;
	struct command command = start();
	assert_int_equal(command_signal(&command, SIGTERM, false), 0);
	int status = reap(&command);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_true(command.reaped);
	assert_int_equal(command.status, status);
}

/* Once it was waited for, another process group may have its number. */
static void a_number_that_was_given_back_is_not_signalled(void **state)
{
	(void)state;
	struct command ended = start(), stranger = start();
	assert_int_equal(command_signal(&ended, SIGKILL, false), 0);
	(void)reap(&ended);
	ended.pid = stranger.pid;
	assert_int_equal(command_signal(&ended, SIGKILL, false), -ESRCH);
	assert_int_equal(command_signal(&stranger, SIGTERM, false), 0);
	int status = reap(&stranger);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* A shell's child in its process group. */
static void the_command_alone_is_signalled(void **state)
{
	(void)state;
	char program[] = "sh", option[] = "-c", script[64];
	char *argv[] = { program, option, script, NULL };
	struct command command;
	char pid[16] = "";
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	snprintf(script, sizeof(script), "sleep 100 & echo $! >&%d; wait", ends[1]);
	assert_int_equal(command_start(argv, &command), 0);
	assert_true(read(ends[0], pid, sizeof(pid) - 1) > 0);
	assert_int_equal(command_signal(&command, SIGKILL, true), 0);
	/* waiting gives the number of the group back, but the child is still in it */
	int status;
	assert_int_equal(waitpid(command.pid, &status, 0), command.pid);
	assert_int_equal(kill(atoi(pid), 0), 0);
	assert_int_equal(kill(-command.pid, SIGKILL), 0);
	close(ends[0]);
	close(ends[1]);
}

static void another_childs_end_is_not_the_commands(void **state)
{
	(void)state;
	struct command command = start();
	command_note_reaped(&command, command.pid + 1, 0);
	assert_false(command.reaped);
	assert_int_equal(command_signal(&command, SIGKILL, false), 0);
	(void)reap(&command);
}

static void a_program_that_is_not_there_is_reported(void **state)
{
	(void)state;
	char program[] = "/nonexistent/program";
	char *argv[] = { program, NULL };
	struct command command;
	assert_int_equal(command_start(argv, &command), -ENOENT);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_command_is_signalled),
		cmocka_unit_test(a_number_that_was_given_back_is_not_signalled),
		cmocka_unit_test(the_command_alone_is_signalled),
		cmocka_unit_test(another_childs_end_is_not_the_commands),
		cmocka_unit_test(a_program_that_is_not_there_is_reported),
	};
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
