/* collect/followed_container: a recorded tree, and the file that an engine writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/followed_container.h"
#include "proc/procfs.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char folder[] = "/tmp/contained-XXXXXX";

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void only_a_whole_id_is_taken(void **state)
{
	(void)state;
	static const struct {
		const char *text, *id;
	} cases[] = {
		{ "", "" },
		{ "0123456789abcdef", "" }, /* it is being written */
		{ "not an id, although it has more than the 64 letters that make one", "" },
		{ ID, ID },
		{ ID "\n", ID },
	};
	char path[64];
	snprintf(path, sizeof(path), "%s/id", folder);
	struct followed_container container = { .id_file = path };
	followed_container_read_id(&container);
	assert_string_equal(container.id, "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		container.id[0] = '\0';
		write_text(path, cases[i].text);
		followed_container_read_id(&container);
		assert_string_equal(container.id, cases[i].id);
	}
	/* once known it stays */
	assert_int_equal(unlink(path), 0);
	followed_container_read_id(&container);
	assert_string_equal(container.id, ID);
	/* a FIFO that nobody writes to: no wait */
	container.id[0] = '\0';
	assert_int_equal(mkfifo(path, 0600), 0);
	followed_container_read_id(&container);
	assert_string_equal(container.id, "");
	assert_int_equal(unlink(path), 0);
}

static void its_processes_have_the_id_and_are_not_older(void **state)
{
	(void)state;
	static const struct {
		uint64_t start;
		const char *cgroup;
		bool has;
	} cases[] = {
		{ 600, "0::/system.slice/docker-" ID ".scope\n", true },
		{ 500, "3:pids:/docker/" ID "\n0::/\n", true },
		{ 600, "0::/libpod_parent/libpod-" ID "/container\n", true },
		{ 499, "0::/docker/" ID "\n", false }, /* older than the client */
		{ 600, "0::/libpod-conmon-" ID ".scope\n", false },
		{ 600, "0::/docker/0000" ID "\n", false },
		{ 600, "0::/user.slice\n", false },
	};
	struct followed_container container = { .since = 500, .id = ID };
	char path[64];
	snprintf(path, sizeof(path), "%s/7", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	struct procfs *procfs = procfs_new(folder);
	/* no file: not known */
	assert_false(followed_container_has(&container, procfs, 7, 600));
	snprintf(path, sizeof(path), "%s/7/cgroup", folder);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_text(path, cases[i].cgroup);
		assert_int_equal(followed_container_has(&container, procfs, 7, cases[i].start),
			cases[i].has);
	}
	/* an id that is not known yet is nobody's */
	container.id[0] = '\0';
	write_text(path, cases[0].cgroup);
	assert_false(followed_container_has(&container, procfs, 7, 600));
	procfs_free(procfs);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_whole_id_is_taken),
		cmocka_unit_test(its_processes_have_the_id_and_are_not_older),
	};
	return cmocka_run_group_tests_name("followed_container", tests, make_folder, remove_folder);
}
