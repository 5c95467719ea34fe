/* demo/guardian: what is removed at the end, and what is kept. Another process removes the files,
 * so the tests check what remains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/users.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "demo/guardian.h"

#define STRANGER 12345

struct fixture {
	char folder[64], kept[64]; /* kept: a folder that is never given to the guardian */
	char *file;                /* in it */
};

static void put(const char *folder, const char *name)
{
	CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static char *make(const char *folder, const char *name)
{
	char *path = mem_printf("%s/%s", folder, name);
	assert_int_equal(mkdir(path, 0700), 0);
	return path;
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	snprintf(f->folder, sizeof(f->folder), "/tmp/dbtop-guarded-XXXXXX");
	snprintf(f->kept, sizeof(f->kept), "/tmp/dbtop-kept-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	assert_non_null(mkdtemp(f->kept));
	assert_int_equal(chmod(f->folder, 0711), 0);
	f->file = mem_printf("%s/file", f->kept);
	put(f->kept, "file");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *command = mem_printf("rm -rf %s %s", f->folder, f->kept);
	int r = system(command);
	free(f->file);
	free(f);
	return r;
}

static void let_remove(const struct fixture *f, uid_t uid)
{
	struct cleaner guardian;
	assert_int_equal(guardian_start(f->folder, uid, uid, &guardian), 0);
	cleaner_finish(&guardian);
}

static bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void all_is_removed_and_no_link_followed(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(cleanup_free) char *outer = make(f->folder, "outer");
	CLEANUP(cleanup_free) char *inner = make(outer, "inner");
	CLEANUP(cleanup_free) char *link = mem_printf("%s/link", outer);
	put(inner, "file");
	put(f->folder, "file");
	assert_int_equal(symlink(f->kept, link), 0);
	let_remove(f, getuid());
	assert_false(is_there(f->folder));
	assert_true(is_there(f->file));
}

static void give(const char *path)
{
	assert_int_equal(chown(path, STRANGER, STRANGER), 0);
}

/* Files of the server's user are removed with that user's rights. */
static void another_users_files_go_with_its_rights(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(cleanup_free) char *outer = make(f->folder, "server");
	CLEANUP(cleanup_free) char *inner = make(outer, "data");
	put(inner, "file");
	put(f->folder, "passfile");
	give(inner);
	give(outer);
	let_remove(f, STRANGER);
	assert_false(is_there(f->folder));
}

/* A file that only root could remove, in a folder where another user can write. */
static void root_removes_nothing_where_another_user_can_write(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(cleanup_free) char *foreign = make(f->folder, "server");
	CLEANUP(cleanup_free) char *own = make(foreign, "own");
	CLEANUP(cleanup_free) char *file = mem_printf("%s/file", own);
	put(own, "file");
	give(foreign);
	let_remove(f, STRANGER);
	assert_true(is_there(file));
	CLEANUP(cleanup_free) char *open = make(f->folder, "open");
	put(open, "file");
	assert_int_equal(chmod(open, 0777), 0);
	CLEANUP(cleanup_free) char *left = mem_printf("%s/file", open);
	let_remove(f, STRANGER);
	assert_true(is_there(left));
}

#define FILES 300

/* Creates files with the same names in each folder. */
static void fill(const char *folder)
{
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%d", i);
		put(folder, name);
	}
}

static int count_files(const char *folder)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	int count = 0;
	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		count += entry->d_name[0] == 'f' && entry->d_name[1] != 'i';
	return count;
}

/* Makes the name a folder and a link in turns. */
__attribute__((noreturn)) static void swap(const char *folder, const char *link)
{
	if (setgroups(0, NULL) != 0 || setgid(STRANGER) != 0 || setuid(STRANGER) != 0)
		_exit(1);
	for (;;)
		(void)renameat2(AT_FDCWD, folder, AT_FDCWD, link, RENAME_EXCHANGE);
}

static void a_folder_that_becomes_a_link_is_not_entered(void **state)
{
	const struct fixture *f = *state;
	fill(f->kept);
	CLEANUP(cleanup_free) char *server = make(f->folder, "server");
	CLEANUP(cleanup_free) char *folder = make(server, "swapped");
	CLEANUP(cleanup_free) char *link = mem_printf("%s/link", server);
	fill(folder);
	assert_int_equal(symlink(f->kept, link), 0);
	give(folder);
	give(server);
	pid_t stranger = fork();
	if (stranger == 0)
		swap(folder, link);
	let_remove(f, STRANGER);
	assert_int_equal(kill(stranger, SIGKILL), 0);
	assert_int_equal(waitpid(stranger, NULL, 0), stranger);
	assert_int_equal(count_files(f->kept), FILES);
	assert_true(is_there(f->file));
}

/* Starts a guardian in a child whose user may have this many processes. As root the child becomes
 * another user. */
static int start_with(const struct fixture *f, rlim_t processes)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		struct cleaner guardian = { -1, -1 };
		const struct rlimit limit = { processes, processes };
		uid_t alone = (uid_t)(1000000000 + getpid());
		if ((geteuid() == 0 && setuid(alone) != 0) || setrlimit(RLIMIT_NPROC, &limit) != 0)
			_exit(100);
		int r = guardian_start(f->folder, geteuid(), getegid(), &guardian);
		_exit(r == 0 ? 101 : guardian.orders >= 0 ? 102 : -r);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void no_process_for_it_is_an_error(void **state)
{
	const struct fixture *f = *state;
	assert_int_equal(start_with(f, 0), EAGAIN);
}

/* The process limit allows the child in between, but not the guardian. */
static void no_process_after_the_first_is_an_error(void **state)
{
	assert_int_equal(start_with(*state, 2), EAGAIN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_is_removed_and_no_link_followed),
		TEST(no_process_for_it_is_an_error),
		/* these need root */
		TEST(no_process_after_the_first_is_an_error),
		TEST(another_users_files_go_with_its_rights),
		TEST(root_removes_nothing_where_another_user_can_write),
		TEST(a_folder_that_becomes_a_link_is_not_entered),
	};
	return USERS_RUN_TESTS("guardian", tests, 4, NULL, NULL);
}
