/* page/scan: all pages of all folders are found. */
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
#include <unistd.h>

#include <cmocka.h>

#include "../support/page_fixture.h"
#include "page/reader.h"
#include "page/writer.h"

struct count {
	int pages, whole, damaged;
};

static void count_page(void *data, const char *path, int status, const struct page_copy *copy)
{
	struct count *count = data;
	assert_non_null(strstr(path, PAGE_SUFFIX));
	count->pages++;
	count->whole += copy != NULL;
	count->damaged += status == PAGE_DAMAGED;
}

static void a_scan_finds_all_pages(void **state)
{
	struct fixture *f = *state;
	struct count count = { 0 };
	char path[160];
	int file;
	struct page_writer *second = write_page(f->folder, &file);
	assert_int_equal(file, 0);
	snprintf(path, sizeof(path), "%s/broken.page", f->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/.hidden.page", f->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(page_scan(f->folder, &f->host, &f->copy, count_page, &count), 0);
	assert_int_equal(count.pages, 3);
	assert_int_equal(count.whole, 2);
	assert_int_equal(count.damaged, 1);
	page_writer_free(second);

	assert_int_equal(
		page_scan("/tmp/not-there", &f->host, &f->copy, count_page, &count), -ENOENT);
	assert_int_equal(page_scan("/tmp", &f->host, &f->copy, count_page, &count), -EPERM);
	snprintf(path, sizeof(path), "%s/link", f->root);
	assert_int_equal(symlink(f->folder, path), 0);
	assert_int_equal(page_scan(path, &f->host, &f->copy, count_page, &count), -EPERM);

	count = (struct count){ 0 };
	setenv("XDG_RUNTIME_DIR", f->root, 1);
	size_t left_out;
	assert_int_equal(page_scan_all(&f->host, 1000, &f->copy, count_page, &count, &left_out), 0);
	assert_true(count.whole >= 1);
	unsetenv("XDG_RUNTIME_DIR");
}

/* A full folder does not reduce the pages read from the others. */
static void a_full_folder_pushes_nobody_out(void **state)
{
	struct fixture *f = *state;
	struct count count = { 0 };
	char full[96], path[128];
	size_t left_out;
	snprintf(full, sizeof(full), "%s/full", f->root);
	assert_int_equal(mkdir(full, 0700), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "%s/%d.page", full, i);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	char *const folders[] = { full, f->folder, (char *)"/tmp/not-there" };
	assert_int_equal(page_scan_folders(
				 folders, 3, 10, &f->host, &f->copy, count_page, &count, &left_out),
		-ENOENT);
	assert_int_equal(count.pages, 10);
	assert_int_equal(count.whole, 1);
	assert_int_equal(left_out, 41);
	count = (struct count){ 0 };
	assert_int_equal(page_scan_folders(folders, 2, 100, &f->host, &f->copy, count_page, &count,
				 &left_out),
		0);
	assert_int_equal(count.pages, 51);
	assert_int_equal(left_out, 0);
	/* less than one page for each folder */
	count = (struct count){ 0 };
	assert_int_equal(
		page_scan_folders(folders, 2, 1, &f->host, &f->copy, count_page, &count, &left_out),
		0);
	assert_int_equal(count.pages, 1);
	assert_int_equal(left_out, 50);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_scan_finds_all_pages),
		TEST(a_full_folder_pushes_nobody_out),
	};
	return cmocka_run_group_tests_name("page_scan", tests, NULL, NULL);
}
