/* page/writer: the folder and the file of a page are its user's alone. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/page_fixture.h"
#include "../support/users.h"
#include "page/reader.h"
#include "page/writer.h"

/* The file has mode 0600 in a folder of mode 0700, and is removed when the pool ends. */
static void the_file_is_ours_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[PAGE_PATH_MAX];
	strcpy(path, page_writer_path(f->writer));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(f->folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	page_writer_free(f->writer);
	f->writer = NULL;
	assert_int_equal(access(path, F_OK), -1);
}

struct refused {
	const char *name, *command;
};

/* The pool works without a file. */
static void assert_refused(const struct fixture *f, const struct refused *cases, size_t n)
{
	char folder[96];
	int file;
	for (size_t i = 0; i < n; i++) {
		char command[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(command, sizeof(command), cases[i].command, f->root, f->root);
#pragma GCC diagnostic pop
		assert_int_equal(system(command), 0);
		snprintf(folder, sizeof(folder), "%s/%s", f->root, cases[i].name);
		struct page_writer *writer = write_page(folder, &file);
		assert_true(file < 0);
		assert_null(page_writer_path(writer));
		page_slot_held(&page_writer_page(writer)->slots[2], monotonic(), 1, SITE);
		page_writer_free(writer);
	}
}

#define ASSERT_REFUSED(f, cases) assert_refused(f, cases, sizeof(cases) / sizeof((cases)[0]))

/* Another user created the folder first: it is not touched. */
static void folders_of_others_are_refused(void **state)
{
	static const struct refused cases[] = {
		{ "open", "mkdir -m 0777 %s/open" },
		{ "readable", "mkdir -m 0755 %s/readable" },
		{ "link", "ln -s dbpool %s/link" },
		{ "file", "touch %s/file" },
		{ "missing/below", "true %s" },
	};
	ASSERT_REFUSED(*state, cases);
}

/* Only root can create such folders. */
static void folders_of_other_users_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct refused cases[] = {
		{ "stranger", "mkdir -m 0700 %s/stranger && chown 12345 %s/stranger" },
		/* as $XDG_RUNTIME_DIR under sudo */
		{ "user/dbpool", "mkdir -m 0700 %s/user && chown 12345 %s/user" },
	};
	char path[PAGE_PATH_MAX];
	ASSERT_REFUSED(f, cases);
	snprintf(path, sizeof(path), "%s/user/dbpool", f->root);
	assert_int_equal(access(path, F_OK), -1);
	/* root reads there, but removes nothing, not even its own files */
	assert_int_equal(chown(f->folder, 12345, 12345), 0);
	snprintf(path, sizeof(path), "%s", page_writer_path(f->writer));
	assert_int_equal(page_clear(path, &f->host, 1, 1, &f->copy), -EPERM);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(chown(f->folder, 0, 0), 0);
}

/* Two containers share the folder, and their processes have the same pid. */
static void another_containers_files_are_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[PAGE_PATH_MAX], other[PAGE_PATH_MAX];
	struct page_writer *second;
	unsigned number;
	int file_error;
	const struct page_writer_options options = { .folder = f->folder,
		.name = "second",
		.server = "",
		.limits = { .max = 1 },
		.slots = 1 };
	/* the other process is about to give its page this name */
	const char *at = strrchr(page_writer_path(f->writer), '-');
	assert_int_equal(sscanf(at, "-%u", &number), 1);
	snprintf(other, sizeof(other), "%s/.%d-%u.new", f->folder, (int)getpid(), number + 1);
	FILE *file = fopen(other, "wx");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(page_writer_new(&options, &second, &file_error), 0);
	assert_int_equal(file_error, 0);
	assert_int_equal(unlink(other), 0);
	/* somebody has removed our page, and the other's has its name now */
	snprintf(path, sizeof(path), "%s", page_writer_path(second));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(close(creat(path, 0600)), 0);
	page_writer_free(second);
	assert_int_equal(unlink(path), 0);
}

static time_t age_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return time(NULL) - st.st_mtime;
}

/* Stores through a mapping do not renew the times of a file on tmpfs, and programs that clean /tmp
 * remove old files: a page that lives is renewed once an hour. */
static void a_living_page_is_no_old_file(void **state)
{
	struct fixture *f = *state;
	static const struct {
		time_t age;
		bool renewed;
	} cases[] = { { 60, false }, { 864000, true }, { -864000, true } };
	const char *path = page_writer_path(f->writer);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct timespec then = { .tv_sec = time(NULL) - cases[i].age };
		const struct timespec times[] = { then, then };
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
		page_writer_keep(f->writer);
		/* an hour is enough for the slowest machine */
		assert_int_equal(labs(age_of(path) - cases[i].age) > 3600, cases[i].renewed);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_file_is_ours_alone),
		TEST(folders_of_others_are_refused),
		TEST(another_containers_files_are_left_alone),
		TEST(a_living_page_is_no_old_file),
		/* this needs root */
		TEST(folders_of_other_users_are_refused),
	};
	return USERS_RUN_TESTS("page_writer", tests, 1, NULL, NULL);
}
