/* proc/inspect: what real processes are, beside what they call themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "model/emergency.h"
#include "proc/inspect.h"
#include "proc/procfs.h"

struct fixture {
	struct arena *arena;
	pid_t child;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){ .arena = arena_new() };
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	if (fixture->child) {
		kill(fixture->child, SIGKILL);
		waitpid(fixture->child, NULL, 0);
	}
	arena_free(fixture->arena);
	return 0;
}

/* A child that runs the function, which then says that it is ready and sleeps; or execs. */
static void start(struct fixture *fixture, void (*prepare)(void))
{
	int ready[2];
	char byte;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0); /* an exec says it as well */
	fixture->child = fork();
	if (fixture->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		prepare();
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
}

static struct process_facts inspect(const struct fixture *fixture, pid_t pid, pid_t self)
{
	static const uint16_t ports[] = { 5432 };
	struct procfs *procfs = procfs_new("/proc");
	struct procfs_stat stat;
	assert_int_equal(procfs_stat(procfs, pid, &stat), 0);
	procfs_free(procfs);
	const struct inspect_who who = { pid, stat.start_ticks };
	const struct inspect_request request = { .proc_root = "/proc",
		.self = self,
		.who = &who,
		.n_who = 1,
		.ports = ports,
		.n_ports = 1 };
	struct process_facts *facts;
	assert_int_equal(inspect_processes(&request, fixture->arena, &facts), 1);
	assert_int_equal(facts->pid, pid);
	return *facts;
}

static void call_itself_pgbouncer(void)
{
	prctl(PR_SET_NAME, "pgbouncer");
}

static void a_name_is_no_executable(void **state)
{
	struct fixture *fixture = *state;
	start(fixture, call_itself_pgbouncer);
	struct process_facts facts = inspect(fixture, fixture->child, getpid());
	assert_string_equal(facts.executable, "test_inspect");
	assert_false(facts.serves);
	/* the same program as ours, but by another name */
	assert_false(facts.ours);
}

static void keep_the_name(void)
{
}

static void we_and_our_ancestors_and_our_like_are_ours(void **state)
{
	struct fixture *fixture = *state;
	assert_true(inspect(fixture, getpid(), getpid()).ours);
	assert_true(inspect(fixture, getppid(), getpid()).ours);
	assert_int_equal(inspect(fixture, getpid(), getpid()).parent, getppid());
	assert_non_null(inspect(fixture, getpid(), getpid()).parent_name);
	start(fixture, keep_the_name);
	assert_true(inspect(fixture, fixture->child, getpid()).ours);
}

static void listen_as_a_server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/.s.PGSQL.%d", (int)getpid());
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		_exit(1);
	unlink(address.sun_path);
	prctl(PR_SET_NAME, "pooler");
}

static void who_listens_where_clients_connect_serves_them(void **state)
{
	struct fixture *fixture = *state;
	start(fixture, listen_as_a_server);
	assert_true(inspect(fixture, fixture->child, getpid()).serves);
}

static void be_told_by_environment(void)
{
	execle("/bin/sleep", "sleep", "600", NULL,
		(const char *const[]){ "PGAPPNAME=billing", NULL });
	_exit(1);
}

static void be_told_by_command_line(void)
{
	execl("/bin/sh", "sh", "-c", "kill -STOP $$",
		"postgres://app@db/app?application_name=web&x=1", NULL);
	_exit(1);
}

static void what_it_was_told_is_read(void **state)
{
	struct fixture *fixture = *state;
	start(fixture, be_told_by_environment);
	assert_string_equal(inspect(fixture, fixture->child, getpid()).application, "billing");
	kill(fixture->child, SIGKILL);
	waitpid(fixture->child, NULL, 0);
	start(fixture, be_told_by_command_line);
	assert_string_equal(inspect(fixture, fixture->child, getpid()).application, "web");
}

static void whoever_has_the_pid_now_is_not_told_of(void **state)
{
	struct fixture *fixture = *state;
	const struct inspect_who who = { getpid(), 1 };
	const struct inspect_request request = {
		.proc_root = "/proc", .self = getpid(), .who = &who, .n_who = 1
	};
	struct process_facts *facts;
	assert_int_equal(inspect_processes(&request, fixture->arena, &facts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name_is_no_executable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			we_and_our_ancestors_and_our_like_are_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_listens_where_clients_connect_serves_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_it_was_told_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			whoever_has_the_pid_now_is_not_told_of, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
