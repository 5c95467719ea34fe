/* base/journal: lines are written whole, even if the file is moved, truncated or replaced at the
 * same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/users.h"
#include "base/cleanup.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/safe_folder.h"

static const struct journal_options usual = { .size_max = 1 << 20, .strict = true };

struct fixture {
	char folder[64], path[96], aside[96];
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	snprintf(f->folder, sizeof(f->folder), "/tmp/dbtop-journal-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/log", f->folder);
	snprintf(f->aside, sizeof(f->aside), "%s/log.1", f->folder);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	unlink(f->path);
	unlink(f->aside);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static void put(const char *path, const char *text)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
}

static void assert_holds(const char *path, const char *expected)
{
	char text[4096] = "";
	CLEANUP(cleanup_file) FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	assert_string_equal(text, expected);
}

static void lines_follow_each_other_for_us_alone(void **state)
{
	const struct fixture *f = *state;
	struct stat st;
	assert_int_equal(journal_append(f->path, "one", &usual), 0);
	assert_int_equal(journal_append(f->path, "two", &usual), 0);
	assert_holds(f->path, "one\ntwo\n");
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_line_that_was_cut_short_stays_alone(void **state)
{
	const struct fixture *f = *state;
	put(f->path, "one\ntw");
	assert_int_equal(journal_append(f->path, "three", &usual), 0);
	assert_holds(f->path, "one\ntw\nthree\n");
}

static void a_full_file_is_moved_aside_once(void **state)
{
	const struct fixture *f = *state;
	const struct journal_options small = { .size_max = 8, .strict = true };
	assert_int_equal(journal_append(f->path, "1234567", &small), 0);
	assert_int_equal(journal_append(f->path, "next", &small), 0);
	assert_int_equal(journal_append(f->path, "more", &small), 0);
	assert_holds(f->aside, "1234567\n");
	assert_holds(f->path, "next\nmore\n");
}

/* If two programs moved the file at the same time, one file would be lost: only the one with the
 * lock moves it. */
static void what_another_moves_is_left_to_it(void **state)
{
	const struct fixture *f = *state;
	const struct journal_options small = { .size_max = 4, .strict = true };
	put(f->path, "full\n");
	CLEANUP(cleanup_fd) int fd = open(f->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(journal_append(f->path, "next", &small), 0);
	assert_int_equal(access(f->aside, F_OK), -1);
	assert_holds(f->path, "full\nnext\n");
}

static void folders_are_made_when_wanted(void **state)
{
	const struct fixture *f = *state;
	const struct journal_options wanted = {
		.size_max = 1 << 20, .strict = true, .make_folders = true
	};
	CLEANUP(cleanup_free) char *outer = mem_printf("%s/a", f->folder);
	CLEANUP(cleanup_free) char *inner = mem_printf("%s/b", outer);
	CLEANUP(cleanup_free) char *path = mem_printf("%s/log", inner);
	struct stat st;
	assert_int_equal(journal_append(path, "line", &usual), -ENOENT);
	assert_int_equal(journal_append(path, "line", &wanted), 0);
	assert_int_equal(stat(inner, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_holds(path, "line\n");
	unlink(path);
	rmdir(inner);
	rmdir(outer);
}

static void strict_takes_nothing_but_a_file(void **state)
{
	const struct fixture *f = *state;
	const struct journal_options loose = { .size_max = 1 << 20 };
	put(f->aside, "");
	assert_int_equal(symlink(f->aside, f->path), 0);
	assert_int_equal(journal_append(f->path, "line", &usual), -ELOOP);
	assert_holds(f->aside, "");
	assert_int_equal(journal_append(f->path, "line", &loose), 0);
	assert_holds(f->aside, "line\n");
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(journal_append(f->path, "line", &usual), -ENOTSUP);
	assert_string_equal(journal_strerror(-ENOTSUP), "Not a regular file");
	assert_string_equal(journal_strerror(-ENOENT), strerror(ENOENT));
}

/* --- root, in a folder that another user can write to --- */

static void assert_refused(const char *path, bool make_folders)
{
	const struct journal_options strict = {
		.size_max = 1 << 20, .strict = true, .make_folders = make_folders
	};
	const struct journal_options loose = { .size_max = 1 << 20, .make_folders = make_folders };
	assert_int_equal(journal_append(path, "line", &strict), SAFE_FOLDER_FOREIGN);
	assert_int_equal(journal_append(path, "line", &loose), SAFE_FOLDER_FOREIGN);
}

static void root_writes_where_no_other_user_can(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(cleanup_free) char *inner = mem_printf("%s/a", f->folder);
	CLEANUP(cleanup_free) char *below = mem_printf("%s/b/log", inner);
	CLEANUP(cleanup_free) char *path = mem_printf("%s/log", inner);
	assert_int_equal(mkdir(inner, 0700), 0);
	if (geteuid() != 0) {
		assert_int_equal(chmod(inner, 0777), 0);
		assert_int_equal(journal_append(path, "line", &usual), 0);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rmdir(inner), 0);
		return;
	}
	static const mode_t modes[] = { 0777, 0770, 01777 };
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(inner, modes[i]), 0);
		assert_refused(path, false);
	}
	assert_int_equal(chmod(inner, 0755), 0);
	assert_int_equal(chown(inner, 12345, 12345), 0);
	assert_refused(path, false);
	/* as under sudo, with the user's XDG_STATE_HOME */
	assert_refused(below, true);
	/* a link of root's leads there */
	assert_int_equal(symlink(path, f->path), 0);
	put(path, "");
	const struct journal_options loose = { .size_max = 1 << 20 };
	assert_int_equal(journal_append(f->path, "line", &loose), SAFE_FOLDER_FOREIGN);
	assert_holds(path, "");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(journal_append(f->path, "line", &loose), -ENOENT);
	assert_int_equal(unlink(f->path), 0);
	/* a folder on the way */
	assert_int_equal(symlink(inner, f->path), 0);
	CLEANUP(cleanup_free) char *through = mem_printf("%s/log", f->path);
	assert_refused(through, false);
	/* nothing was created */
	assert_int_equal(rmdir(inner), 0);
	assert_non_null(strstr(journal_strerror(SAFE_FOLDER_FOREIGN), "Another user can write"));
}

/* A file named on root's command line is written with the rights of the folder's owner. */
static void a_named_file_is_written_as_the_folders_owner(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(cleanup_free) char *inner = mem_printf("%s/a", f->folder);
	CLEANUP(cleanup_free) char *path = mem_printf("%s/report", inner);
	struct stat st;
	assert_int_equal(chmod(f->folder, 0755), 0);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(chown(inner, 12345, 12345), 0);
	int fd = safe_folder_create(path);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, 12345);
	close(fd);
	assert_int_equal(unlink(path), 0);
	/* neither a link nor a file of root's is written */
	put(f->path, "kept");
	assert_int_equal(symlink(f->path, path), 0);
	assert_int_equal(safe_folder_create(path), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(link(f->path, path), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(safe_folder_create(path), -EACCES);
	assert_holds(f->path, "kept");
	/* we are root again */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(chmod(f->folder, 0777), 0);
	assert_int_equal(safe_folder_create(f->aside), SAFE_FOLDER_FOREIGN);
	assert_int_equal(chmod(f->folder, 0700), 0);
	fd = safe_folder_create(f->path);
	assert_true(fd >= 0);
	close(fd);
	assert_holds(f->path, "");
}

/* As with "--junit /tmp/report.xml" in a container. */
static void a_named_file_may_be_in_tmp(void **state)
{
	const struct fixture *f = *state;
	assert_int_equal(chmod(f->folder, 01777), 0);
	for (int i = 0; i < 2; i++) {
		int fd = safe_folder_create(f->path);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "text", 4), 4);
		close(fd);
		assert_holds(f->path, "text");
	}
	/* another user's file, another name of root's own, a link, a pipe */
	put(f->aside, "kept");
	assert_int_equal(chown(f->aside, 12345, 12345), 0);
	assert_true(safe_folder_create(f->aside) < 0);
	assert_holds(f->aside, "kept");
	assert_int_equal(unlink(f->aside), 0);
	assert_int_equal(link(f->path, f->aside), 0);
	assert_int_equal(safe_folder_create(f->aside), SAFE_FOLDER_FOREIGN);
	assert_holds(f->path, "text");
	assert_int_equal(unlink(f->aside), 0);
	assert_int_equal(symlink(f->path, f->aside), 0);
	assert_int_equal(safe_folder_create(f->aside), -ELOOP);
	assert_holds(f->path, "text");
	assert_int_equal(unlink(f->aside), 0);
	assert_int_equal(mkfifo(f->aside, 0600), 0);
	assert_true(safe_folder_create(f->aside) < 0);
	assert_int_equal(chmod(f->folder, 0700), 0);
}

static void a_terminal_or_a_pipe_is_written_to(void **state)
{
	const struct fixture *f = *state;
	const struct journal_options loose = { .size_max = 1 << 20 };
	int pipes[2];
	char line[8] = "";
	assert_int_equal(pipe(pipes), 0);
	CLEANUP(cleanup_free) char *target = mem_printf("/proc/self/fd/%d", pipes[1]);
	assert_int_equal(symlink(target, f->path), 0);
	assert_int_equal(journal_append(f->path, "line", &loose), 0);
	assert_int_equal(read(pipes[0], line, sizeof(line)), 5);
	assert_string_equal(line, "line\n");
	close(pipes[0]);
	close(pipes[1]);
}

#define WRITERS 4
#define LINES   50

static void programs_share_a_file(void **state)
{
	const struct fixture *f = *state;
	int count = 0, length;
	for (int i = 0; i < WRITERS; i++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid > 0)
			continue;
		char line[64];
		memset(line, 'a' + i, sizeof(line) - 1);
		line[sizeof(line) - 1] = '\0';
		int failed = 0;
		for (int n = 0; n < LINES; n++)
			failed |= journal_append(f->path, line, &usual) != 0;
		_exit(failed);
	}
	for (int i = 0, status; i < WRITERS; i++)
		assert_true(wait(&status) > 0 && status == 0);
	CLEANUP(cleanup_file) FILE *file = fopen(f->path, "r");
	char line[128], first[2] = "";
	while (fgets(line, sizeof(line), file)) {
		first[0] = line[0];
		length = (int)strspn(line, first);
		assert_int_equal(length, 63);
		assert_string_equal(line + length, "\n");
		count++;
	}
	assert_int_equal(count, WRITERS * LINES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lines_follow_each_other_for_us_alone),
		TEST(a_line_that_was_cut_short_stays_alone),
		TEST(a_full_file_is_moved_aside_once),
		TEST(what_another_moves_is_left_to_it),
		TEST(folders_are_made_when_wanted),
		TEST(strict_takes_nothing_but_a_file),
		TEST(root_writes_where_no_other_user_can),
		TEST(a_terminal_or_a_pipe_is_written_to),
		TEST(programs_share_a_file),
		/* these need root */
		TEST(a_named_file_is_written_as_the_folders_owner),
		TEST(a_named_file_may_be_in_tmp),
	};
	return USERS_RUN_TESTS("journal", tests, 2, NULL, NULL);
}
