/* base/writer and its users, with a disk that hangs for as long as the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/audit.h"
#include "base/instant.h"
#include "base/writer.h"
#include "model/action.h"
#include "sample.h"

/* Longer than any wait of the test when nothing hangs. */
#define LONG  (30 * USEC_PER_SEC)
#define SHORT (20 * USEC_PER_MSEC)

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool hangs;
	int result;
	int entered, left; /* calls */
	char lines[8192];  /* what was written, each with its end */
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int __wrap_journal_append(
	const char *path, const char *line, const struct journal_options *options);

int __wrap_journal_append(const char *path, const char *line, const struct journal_options *options)
{
	(void)path, (void)options;
	pthread_mutex_lock(&disk.mutex);
	disk.entered++;
	pthread_cond_broadcast(&disk.changed);
	while (disk.hangs)
		pthread_cond_wait(&disk.changed, &disk.mutex);
	size_t length = strlen(disk.lines);
	if (length + strlen(line) + 2 < sizeof(disk.lines)) {
		strcpy(disk.lines + length, line);
		strcat(disk.lines, "\n");
	}
	int result = disk.result;
	disk.left++;
	pthread_cond_broadcast(&disk.changed);
	pthread_mutex_unlock(&disk.mutex);
	return result;
}

static void set_hanging(bool hangs)
{
	pthread_mutex_lock(&disk.mutex);
	disk.hangs = hangs;
	pthread_cond_broadcast(&disk.changed);
	pthread_mutex_unlock(&disk.mutex);
}

static void await_calls(const int *calls, int count)
{
	pthread_mutex_lock(&disk.mutex);
	while (*calls < count)
		pthread_cond_wait(&disk.changed, &disk.mutex);
	pthread_mutex_unlock(&disk.mutex);
}

static int set_up(void **state)
{
	(void)state;
	disk.hangs = false;
	disk.result = disk.entered = disk.left = 0;
	disk.lines[0] = '\0';
	return 0;
}

static const struct journal_options usual = { .size_max = 1 << 20 };

static void lines_keep_their_order(void **state)
{
	(void)state;
	struct writer *writer = writer_new("path", &usual);
	char line[16], all[1024] = "";
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "%d", i);
		writer_append(writer, line);
		strcat(strcat(all, line), "\n");
	}
	assert_int_equal(writer_wait(writer, LONG), 0);
	assert_string_equal(disk.lines, all);
	assert_int_equal(writer_free(writer, LONG), 0);
}

static void a_disk_that_hangs_stops_nobody(void **state)
{
	(void)state;
	struct writer *writer = writer_new("path", &usual);
	set_hanging(true);
	writer_append(writer, "one");
	await_calls(&disk.entered, 1);
	writer_append(writer, "two");
	assert_int_equal(writer_wait(writer, SHORT), -ETIMEDOUT);
	assert_string_equal(journal_strerror(-ETIMEDOUT), "The disk does not answer");
	set_hanging(false);
	assert_int_equal(writer_wait(writer, LONG), 0);
	assert_string_equal(disk.lines, "one\ntwo\n");
	assert_int_equal(writer_free(writer, LONG), 0);
}

static void errors_are_those_of_the_last_line(void **state)
{
	(void)state;
	struct writer *writer = writer_new("path", &usual);
	disk.result = -ENOSPC;
	writer_append(writer, "one");
	assert_int_equal(writer_wait(writer, LONG), -ENOSPC);
	assert_int_equal(writer_error(writer), -ENOSPC);
	disk.result = 0;
	writer_append(writer, "two");
	assert_int_equal(writer_wait(writer, LONG), 0);
	/* a line that failed at once is not pending */
	assert_int_equal(writer_free(writer, LONG), 0);
}

static void the_queue_has_an_end(void **state)
{
	(void)state;
	struct writer *writer = writer_new("path", &usual);
	set_hanging(true);
	for (int i = 0; i < WRITER_LINES_MAX + 3; i++)
		writer_append(writer, "line");
	assert_int_equal(writer_error(writer), -ETIMEDOUT);
	set_hanging(false);
	assert_int_equal(writer_wait(writer, LONG), 0);
	assert_int_equal(disk.left, WRITER_LINES_MAX);
	assert_int_equal(writer_free(writer, LONG), 3);
}

/* The thread frees its memory once the disk answers. */
static void the_end_does_not_wait_for_long(void **state)
{
	(void)state;
	struct writer *writer = writer_new("path", &usual);
	set_hanging(true);
	for (int i = 0; i < 5; i++)
		writer_append(writer, "line");
	await_calls(&disk.entered, 1);
	assert_int_equal(writer_free(writer, SHORT), 5);
	set_hanging(false);
	await_calls(&disk.left, 5);
}

/* The line that begins an action must be written first; those of its results need not be. */
static void an_action_is_not_begun_without_its_line(void **state)
{
	(void)state;
	const struct action action = { .kind = ACTION_TERMINATE };
	struct audit *audit = audit_new("path");
	audit_set_timeout(audit, SHORT);
	set_hanging(true);
	assert_int_equal(audit_begin(audit, &action, SAMPLE_NOW), -EIO);
	static const char why[] = "the audit log path cannot be written: The disk does not answer";
	assert_string_equal(audit_error(audit), why);
	assert_int_equal(audit_begin(audit, &action, SAMPLE_NOW), -EIO);
	set_hanging(false);
	audit_set_timeout(audit, LONG);
	assert_null(audit_error(audit));
	/* the line was written too late, but the action was not begun */
	assert_string_equal(audit_refusal(audit), why);
	assert_int_equal(disk.left, 2);
	assert_int_equal(audit_free(audit), 0);
}

/* The screen does nothing else while it waits: it waits once, not for each line, and not at all
 * when the user said that it need not. */
static void a_disk_that_hangs_is_waited_for_once(void **state)
{
	(void)state;
	static const int64_t timeout = 300 * USEC_PER_MSEC;
	const struct action action = { .kind = ACTION_TERMINATE };
	const struct action unaudited = { .kind = ACTION_TERMINATE, .unaudited = true };
	struct audit *audit = audit_new("path");
	int64_t begun = instant_monotonic();
	set_hanging(true);
	audit_set_timeout(audit, LONG);
	assert_int_equal(audit_begin(audit, &unaudited, SAMPLE_NOW), 0);
	audit_set_timeout(audit, timeout);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(audit_begin(audit, &action, SAMPLE_NOW), -EIO);
		assert_non_null(audit_error(audit));
	}
	assert_true(instant_monotonic() - begun < LONG);
	/* once it has answered, it is waited for again */
	set_hanging(false);
	await_calls(&disk.left, 101);
	while (audit_error(audit))
		usleep(1000);
	set_hanging(true);
	begun = instant_monotonic();
	assert_int_equal(audit_begin(audit, &action, SAMPLE_NOW), -EIO);
	assert_true(instant_monotonic() - begun >= timeout);
	set_hanging(false);
	audit_set_timeout(audit, LONG);
	assert_null(audit_error(audit));
	assert_int_equal(audit_free(audit), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(lines_keep_their_order),
		TEST(a_disk_that_hangs_stops_nobody),
		TEST(errors_are_those_of_the_last_line),
		TEST(the_queue_has_an_end),
		TEST(the_end_does_not_wait_for_long),
		TEST(an_action_is_not_begun_without_its_line),
		TEST(a_disk_that_hangs_is_waited_for_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
