/* session/password_command: what the command prints, and each way in which it may fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "session/password_command.h"

static char password[PASSWORD_MAX];

static const char *run_shell(const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	return password_command_run(argv, 60, -1, password);
}

static void the_first_line_is_the_password(void **state)
{
	(void)state;
	static const struct {
		const char *script, *expected;
	} cases[] = {
		{ "echo secret", "secret" },
		{ "printf secret", "secret" },
		{ "printf 'a b\\nmore\\n'", "a b" },
		{ "printf ' x '", " x " },
		{ "echo noise >&2; echo secret", "secret" },
		/* what it leaves behind keeps the pipe, and is not waited for */
		{ "echo secret; sleep 3600 &", "secret" },
		{ "read line; echo \"got${line}nothing\"", "gotnothing" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *error = run_shell(cases[i].script);
		if (error)
			fail_msg("%s: %s", cases[i].script, error);
		assert_string_equal(password, cases[i].expected);
	}
}

static bool is_wiped(void)
{
	for (size_t i = 0; i < sizeof(password); i++)
		if (password[i])
			return false;
	return true;
}

static void a_failure_has_a_reason_and_no_output(void **state)
{
	(void)state;
	static const struct {
		const char *script, *part;
	} cases[] = {
		{ "echo secret; exit 3", "failed" },
		{ "echo secret; kill -9 $$", "failed" },
		{ "true", "printed no password" },
		{ "echo; echo secret", "printed no password" },
		{ "head -c 100000 /dev/zero | tr '\\0' s", "too long" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *error = run_shell(cases[i].script);
		assert_non_null(error);
		assert_non_null(strstr(error, cases[i].part));
		assert_null(strstr(error, "secret"));
		assert_true(is_wiped());
	}
	const char *const argv[] = { "/nowhere/at/all", NULL };
	assert_non_null(strstr(password_command_run(argv, 60, -1, password), "cannot be started"));
}

/* Whether the process of that pid file ends. */
static void assert_killed(const char *path)
{
	int pid = 0;
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	unlink(path);
	/* an orphan: init waits for it */
	while (kill(pid, 0) == 0) {
		char stat[64], text[256] = "";
		snprintf(stat, sizeof(stat), "/proc/%d/stat", pid);
		file = fopen(stat, "r");
		if (file && fgets(text, sizeof(text), file) && strstr(text, ") Z "))
			pid = INT32_MAX;
		if (file)
			fclose(file);
		usleep(10000);
	}
}

static void one_that_hangs_is_ended(void **state)
{
	(void)state;
	const char *const argv[] = { "sleep", "3600", NULL };
	const char *error = password_command_run(argv, 1, -1, password);
	assert_non_null(error);
	assert_non_null(strstr(error, "in time"));
}

struct waker {
	const char *path;
	int wake;
};

/* Wakes once the file has something: the command has begun, however long that took. */
static void *wake_when_written(void *data)
{
	const struct waker *waker = data;
	struct stat stat = { 0 };
	while (lstat(waker->path, &stat) == 0 && stat.st_size == 0)
		usleep(1000);
	(void)eventfd_write(waker->wake, 1);
	return NULL;
}

static void its_children_are_killed_with_it(void **state)
{
	(void)state;
	char path[] = "/tmp/dbtop-password-XXXXXX", script[128];
	pthread_t thread;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	struct waker waker = { path, eventfd(0, EFD_CLOEXEC) };
	snprintf(script, sizeof(script), "sleep 3600 & echo $! >%s; wait", path);
	const char *const argv[] = { "sh", "-c", script, NULL };
	assert_int_equal(pthread_create(&thread, NULL, wake_when_written, &waker), 0);
	assert_non_null(password_command_run(argv, 3600, waker.wake, password));
	pthread_join(thread, NULL);
	close(waker.wake);
	assert_killed(path);
}

static void it_ends_when_it_is_woken(void **state)
{
	(void)state;
	int wake = eventfd(1, EFD_CLOEXEC);
	const char *const argv[] = { "sleep", "3600", NULL };
	assert_non_null(password_command_run(argv, 3600, wake, password));
	close(wake);
}

static void argv_is_copied(void **state)
{
	(void)state;
	const char *const argv[] = { "a", "b", NULL }, *const none[] = { NULL };
	char **copy = argv_copy(argv);
	assert_string_equal(copy[1], "b");
	assert_null(copy[2]);
	argv_free(copy);
	assert_null(argv_copy(NULL));
	assert_null(argv_copy(none));
	argv_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_is_the_password),
		cmocka_unit_test(a_failure_has_a_reason_and_no_output),
		cmocka_unit_test(one_that_hangs_is_ended),
		cmocka_unit_test(its_children_are_killed_with_it),
		cmocka_unit_test(it_ends_when_it_is_woken),
		cmocka_unit_test(argv_is_copied),
	};
	return cmocka_run_group_tests_name("password_command", tests, NULL, NULL);
}
