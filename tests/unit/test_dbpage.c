/* libdbpage: what a pool says through it is read from its page; failures are errors; a forked child
 * leaves the page alone. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dbpage/dbpage.h"
#include "page/reader.h"

#define START INT64_C(1700000000000000)

static char root[64], folder[96];
static struct page_host host;
static struct page_copy copy;

/* --- failures of the system --- */

static int disk_error;      /* of posix_fallocate() */
static int fail_allocation; /* the n-th calloc() from now fails; 0: none */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
int __real_posix_fallocate64(int fd, off_t offset, off_t length);
int __wrap_posix_fallocate64(int fd, off_t offset, off_t length);

void *__wrap_calloc(size_t count, size_t size)
{
	if (fail_allocation && --fail_allocation == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __real_calloc(count, size);
}

int __wrap_posix_fallocate64(int fd, off_t offset, off_t length)
{
	return disk_error ? disk_error : __real_posix_fallocate64(fd, offset, length);
}

/* --- pages --- */

static struct dbpage_config usual(void)
{
	return (struct dbpage_config){ .size = sizeof(struct dbpage_config),
		.name = "shop",
		.server = "127.0.0.1:5432/shop",
		.folder = folder,
		.min = 1,
		.max = 3 };
}

static struct dbpage *open_usual(void)
{
	const struct dbpage_config config = usual();
	int error = 0;
	struct dbpage *page = dbpage_open(&config, &error);
	if (!page)
		fail_msg("%s", strerror(-error));
	return page;
}

static int open_error(const struct dbpage_config *config)
{
	int error = 0;
	assert_null(dbpage_open(config, &error));
	return error;
}

static const struct page_copy *read_path(const char *path)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	int status = page_read(fd, strrchr(path, '/') + 1, &host, &copy);
	close(fd);
	assert_true(status == PAGE_OK || status == PAGE_DEAD_OWNER);
	return &copy;
}

static unsigned count_files(void)
{
	char command[160];
	unsigned n = 0;
	snprintf(command, sizeof(command), "ls -A %s | wc -l", folder);
	FILE *ls = popen(command, "r");
	assert_non_null(ls);
	assert_int_equal(fscanf(ls, "%u", &n), 1);
	pclose(ls);
	return n;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_dbpage-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(folder, sizeof(folder), "%s/dbpool", root);
	page_host_read("/proc", &host);
	disk_error = fail_allocation = 0;
	return 0;
}

static int tear_down(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
	return 0;
}

static void a_page_says_what_the_pool_is(void **state)
{
	struct dbpage *page = open_usual();
	const struct page_copy *seen = read_path(dbpage_path(page));
	(void)state;
	assert_string_equal(seen->name, "shop");
	assert_string_equal(seen->server, "127.0.0.1:5432/shop");
	assert_int_equal(seen->pid, getpid());
	assert_int_equal(seen->limits.min, 1);
	assert_int_equal(seen->limits.max, 3);
	assert_int_equal(seen->limits.held, 60000000);
	assert_int_equal(seen->phase, PAGE_RUNNING);
	assert_int_equal(seen->n_slots, 3);
	dbpage_close(page);
	assert_int_equal(count_files(), 0);
	/* defaults */
	struct dbpage_config config = {
		.size = sizeof(config), .folder = folder, .max = 1, .held_ms = DBPAGE_OFF
	};
	page = dbpage_open(&config, NULL);
	seen = read_path(dbpage_path(page));
	assert_string_equal(seen->name, program_invocation_short_name);
	assert_string_equal(seen->server, "");
	assert_int_equal(seen->limits.held, PAGE_NEVER);
	dbpage_close(page);
}

static const struct page_slot_copy *slot_of(struct dbpage *page, unsigned number)
{
	return &read_path(dbpage_path(page))->slots[number];
}

static void slots_are_counted_by_what_they_become(void **state)
{
	struct dbpage *page = open_usual();
	const struct page_slot_copy *slot;
	(void)state;
	dbpage_slot(page, 1, DBPAGE_SLOT_HELD, 4711, START, "../src/orders.c:212");
	slot = slot_of(page, 1);
	assert_int_equal(slot->state, PAGE_SLOT_HELD);
	assert_int_equal(slot->backend_pid, 4711);
	assert_int_equal(slot->backend_start, START);
	assert_int_equal(slot->opened, PAGE_UNKNOWN);
	assert_int_equal(slot->thread, gettid());
	assert_int_equal(slot->uses, 1);
	assert_string_equal(slot->site, "src/orders.c:212");
	assert_int_equal(copy.totals.opened, 1);
	assert_int_equal(copy.totals.acquired, 1);
	assert_int_equal(copy.totals.released, 0);
	dbpage_slot(page, 1, DBPAGE_SLOT_IDLE, 4711, START, NULL);
	slot = slot_of(page, 1);
	assert_int_equal(slot->state, PAGE_SLOT_IDLE);
	assert_string_equal(slot->site, "src/orders.c:212");
	assert_int_equal(copy.totals.released, 1);
	assert_int_equal(copy.totals.closed, 0);
	/* Another connection in the same slot, lent at once. */
	dbpage_slot(page, 1, DBPAGE_SLOT_HELD, 4712, START, NULL);
	slot = slot_of(page, 1);
	assert_int_equal(slot->uses, 1);
	assert_string_equal(slot->site, "");
	assert_int_equal(copy.totals.opened, 2);
	assert_int_equal(copy.totals.closed, 1);
	/* From one borrower to the next. */
	const struct dbpage_change lend = { page, 1, DBPAGE_SLOT_HELD, 4712, START };
	dbpage_change(&lend, "a.c:1");
	slot = slot_of(page, 1);
	assert_int_equal(slot->uses, 2);
	assert_int_equal(copy.totals.acquired, 3);
	assert_int_equal(copy.totals.released, 2);
	dbpage_slot(page, 1, DBPAGE_SLOT_CLOSING, 0, 0, NULL);
	assert_int_equal(slot_of(page, 1)->backend_pid, 4712);
	assert_int_equal(copy.totals.closed, 1);
	dbpage_slot(page, 1, DBPAGE_SLOT_EMPTY, 0, 0, NULL);
	assert_int_equal(slot_of(page, 1)->backend_pid, 0);
	assert_int_equal(copy.totals.closed, 2);
	assert_int_equal(copy.totals.released, 3);
	assert_int_equal(copy.totals.open, 0);
	dbpage_close(page);
}

/* PgBouncer invents the number, which may be negative. */
static void strange_arguments_do_no_harm(void **state)
{
	struct dbpage *page = open_usual();
	char path[200];
	(void)state;
	strcpy(path, dbpage_path(page));
	dbpage_slot(page, 0, DBPAGE_SLOT_HELD, -5, -7, "a.c:1");
	assert_int_equal(slot_of(page, 0)->backend_pid, 0);
	assert_int_equal(slot_of(page, 0)->backend_start, PAGE_UNKNOWN);
	dbpage_slot(page, 3, DBPAGE_SLOT_HELD, 1, START, NULL);
	dbpage_slot(page, 1, (enum dbpage_slot_state)17, 1, START, NULL);
	dbpage_phase(page, (enum dbpage_phase)99);
	dbpage_counter(page, (enum dbpage_counter)99, 1);
	dbpage_pending(page, -3);
	read_path(path);
	assert_int_equal(copy.totals.held, 1);
	assert_int_equal(copy.phase, PAGE_RUNNING);
	assert_int_equal(copy.totals.pending_writes, PAGE_UNKNOWN);
	dbpage_close(page);
	dbpage_slot(NULL, 0, DBPAGE_SLOT_HELD, 1, START, NULL);
	dbpage_counter(NULL, DBPAGE_ERRORS, 1);
	dbpage_phase(NULL, DBPAGE_DONE);
	dbpage_pending(NULL, 1);
	dbpage_close(NULL);
	assert_null(dbpage_path(NULL));
}

static void counters_and_phases_are_read(void **state)
{
	struct dbpage *page = open_usual();
	(void)state;
	dbpage_counter(page, DBPAGE_WAITERS, 2);
	dbpage_counter(page, DBPAGE_WAITERS, -1);
	dbpage_counter(page, DBPAGE_TIMEOUTS, 3);
	dbpage_counter(page, DBPAGE_ERRORS, 4);
	dbpage_counter(page, DBPAGE_RECLAIMED, 5);
	dbpage_counter(page, DBPAGE_LOST, 6);
	dbpage_pending(page, 7);
	dbpage_phase(page, DBPAGE_FLUSHING);
	read_path(dbpage_path(page));
	assert_int_equal(copy.totals.waiters, 1);
	assert_int_equal(copy.totals.timeouts, 3);
	assert_int_equal(copy.totals.errors, 4);
	assert_int_equal(copy.totals.reclaimed, 5);
	assert_int_equal(copy.totals.lost_slots, 6);
	assert_int_equal(copy.totals.pending_writes, 7);
	assert_int_equal(copy.phase, PAGE_FLUSHING);
	dbpage_close(page);
}

static void impossible_settings_are_errors(void **state)
{
	struct dbpage_config config;
	(void)state;
	assert_int_equal(open_error(NULL), -EINVAL);
#define REFUSED(member, value)                                                                     \
	config = usual();                                                                          \
	config.member = (value);                                                                   \
	assert_int_equal(open_error(&config), -EINVAL)
	REFUSED(size, 8);
	REFUSED(max, 0);
	REFUSED(max, DBPAGE_SLOTS_MAX + 1);
	REFUSED(min, -1);
	REFUSED(min, 4);
	REFUSED(held_ms, -2);
#undef REFUSED
	config = usual();
	config.max = DBPAGE_SLOTS_MAX;
	struct dbpage *page = dbpage_open(&config, NULL);
	assert_non_null(page);
	dbpage_close(page);
}

static void failures_of_the_system_are_errors(void **state)
{
	struct dbpage_config config = usual();
	(void)state;
	for (int i = 1; i <= 2; i++) {
		fail_allocation = i;
		assert_int_equal(open_error(&config), -ENOMEM);
	}
	disk_error = ENOSPC;
	assert_int_equal(open_error(&config), -ENOSPC);
	disk_error = 0;
	assert_int_equal(count_files(), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(open_error(&config), -EPERM);
	assert_int_equal(chmod(folder, 0700), 0);
	config.folder = "/proc/dbpage";
	assert_int_equal(open_error(&config), -ENOENT);
	config.folder = "/nowhere/dbpage";
	assert_int_equal(open_error(&config), -ENOENT);
}

/* The child changes nothing, closes its copy without removing the file, and may open its own. */
static void a_child_leaves_the_page_alone(void **state)
{
	struct dbpage *page = open_usual();
	char path[200];
	(void)state;
	strcpy(path, dbpage_path(page));
	dbpage_slot(page, 0, DBPAGE_SLOT_HELD, 4711, START, "parent.c:1");
	pid_t child = fork();
	if (child == 0) {
		bool hidden = dbpage_path(page) == NULL;
		dbpage_slot(page, 0, DBPAGE_SLOT_HELD, 4712, START, "child.c:1");
		dbpage_counter(page, DBPAGE_ERRORS, 1);
		dbpage_phase(page, DBPAGE_DONE);
		dbpage_pending(page, 5);
		struct dbpage *own = open_usual();
		dbpage_slot(own, 2, DBPAGE_SLOT_HELD, 4713, START, "child.c:2");
		bool right = read_path(dbpage_path(own))->pid == getpid() &&
			copy.slots[2].backend_pid == 4713;
		dbpage_close(own);
		dbpage_close(page);
		_exit(hidden && right && access(path, F_OK) == 0 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_string_equal(slot_of(page, 0)->site, "parent.c:1");
	assert_int_equal(copy.slots[0].backend_pid, 4711);
	assert_int_equal(copy.totals.errors, 0);
	assert_int_equal(copy.phase, PAGE_RUNNING);
	dbpage_slot(page, 0, DBPAGE_SLOT_IDLE, 4711, START, NULL);
	assert_int_equal(slot_of(page, 0)->state, PAGE_SLOT_IDLE);
	dbpage_close(page);
	assert_int_equal(count_files(), 0);
}

/* A process that is killed with its page open. */
static void crash(const char *name)
{
	pid_t child = fork();
	if (child == 0) {
		struct dbpage_config config = usual();
		config.name = name;
		_exit(dbpage_open(&config, NULL) ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void crashes_do_not_fill_the_folder(void **state)
{
	(void)state;
	crash("other");
	for (int i = 0; i < 70; i++)
		crash("shop");
	assert_int_equal(count_files(), 1 + 64);
	struct dbpage *page = open_usual();
	assert_int_equal(count_files(), 1 + 63 + 1);
	dbpage_close(page);
}

#define THREADS 4
#define ROUNDS  2000

static void *use_slot(void *data)
{
	struct dbpage *page = *(struct dbpage **)data;
	static atomic_uint next;
	unsigned number = next++;
	for (int i = 0; i < ROUNDS; i++) {
		dbpage_counter(page, DBPAGE_WAITERS, 1);
		dbpage_slot(page, number, DBPAGE_SLOT_HELD, (int32_t)number + 1, 0, "threads.c:1");
		dbpage_counter(page, DBPAGE_WAITERS, -1);
		dbpage_counter(page, DBPAGE_TIMEOUTS, 1);
		dbpage_slot(page, number, DBPAGE_SLOT_EMPTY, 0, 0, NULL);
	}
	return NULL;
}

static void threads_lose_no_count(void **state)
{
	struct dbpage_config config = usual();
	pthread_t threads[THREADS];
	(void)state;
	config.max = THREADS;
	struct dbpage *page = dbpage_open(&config, NULL);
	assert_non_null(page);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_slot, &page), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	read_path(dbpage_path(page));
	assert_int_equal(copy.totals.waiters, 0);
	assert_int_equal(copy.totals.timeouts, THREADS * ROUNDS);
	assert_int_equal(copy.totals.opened, THREADS * ROUNDS);
	assert_int_equal(copy.totals.closed, THREADS * ROUNDS);
	assert_int_equal(copy.totals.acquired, THREADS * ROUNDS);
	assert_int_equal(copy.totals.released, THREADS * ROUNDS);
	dbpage_close(page);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_page_says_what_the_pool_is),
		TEST(slots_are_counted_by_what_they_become),
		TEST(strange_arguments_do_no_harm),
		TEST(counters_and_phases_are_read),
		TEST(impossible_settings_are_errors),
		TEST(failures_of_the_system_are_errors),
		TEST(a_child_leaves_the_page_alone),
		TEST(crashes_do_not_fill_the_folder),
		TEST(threads_lose_no_count),
	};
	return cmocka_run_group_tests_name("dbpage", tests, NULL, NULL);
}
