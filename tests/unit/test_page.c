/* Unit tests of the stats page: readers get what was written, and no hostile content is
 * accepted. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/page_fixture.h"
#include "../support/users.h"
#include "page/reader.h"
#include "page/writer.h"

static void what_is_written_is_read(void **state)
{
	struct fixture *f = *state;
	struct page_hook *hook;
	int64_t now = monotonic();
	page_slot_opened(&f->page->slots[0], 9912, 1700000000000000, now - 5000000);
	page_slot_held(&f->page->slots[0], now - 2000000, 4312, "../" SITE);
	page_slot_leaked(&f->page->slots[0], true);
	page_slot_opened(&f->page->slots[1], 9913, PAGE_UNKNOWN, now);
	page_slot_state(&f->page->slots[2], PAGE_SLOT_CONNECTING, now);
	page_set(f->page->totals.phase, (uint32_t)PAGE_RUNNING);
	page_add(f->page->slots[0].counters.acquired, 800);
	page_add(f->page->slots[0].counters.at_once, 799);
	page_add(f->page->slots[1].counters.acquired, 12);
	page_add(f->page->slots[2].counters.longest_hold, 5000);
	page_add(f->page->slots[1].counters.hold[4], 2);
	page_add(f->page->slots[2].counters.hold[4], 1);
	page_add(f->page->wait[0], 1);
	page_add(f->page->wait[9], 12);
	page_set(f->page->totals.pending_writes, INT64_C(7));
	page_set(f->page->totals.lost_slots, (uint64_t)4);
	page_set(f->page->totals.waited, (uint64_t)70000);
	f->page->totals.outbox =
		(struct page_outbox){ 2, PAGE_FSYNC_NORMAL, 12, 1700000000000001, 3 };
	page_set(f->page->slots[0].last_result_monotonic, now - 1500000);
	/* of an earlier hold */
	page_set(f->page->slots[1].last_result_monotonic, now - 1500000);
	assert_true(page_hook_add(f->page, "flush", PAGE_HOOK_FLUSH, 2000000, &hook));
	page_hook_set(hook, PAGE_HOOK_FAILED, -5, 1234);

	assert_int_equal(read_own(f), PAGE_OK);
	assert_int_equal(f->copy.pid, getpid());
	assert_true(f->copy.owner_visible);
	assert_true(f->copy.start_ticks > 0);
	assert_string_equal(f->copy.name, "jarvis");
	assert_string_equal(f->copy.server, "127.0.0.1:5432/app");
	assert_int_equal(f->copy.limits.max, 3);
	assert_int_equal(f->copy.phase, PAGE_RUNNING);
	assert_int_equal(f->copy.totals.acquired, 812);
	assert_int_equal(f->copy.totals.wait[0], 800);
	assert_int_equal(f->copy.totals.wait[9], 12);
	assert_int_equal(f->copy.totals.hold[4], 3);
	assert_int_equal(f->copy.totals.longest_hold, 5000);
	assert_int_equal(f->copy.totals.open, 2);
	assert_int_equal(f->copy.totals.held, 1);
	assert_int_equal(f->copy.totals.idle, 1);
	assert_int_equal(f->copy.totals.leaks, 1);
	assert_int_equal(f->copy.totals.pending_writes, 7);
	assert_int_equal(f->copy.totals.lost_slots, 4);
	assert_int_equal(f->copy.totals.waited, 70000);
	assert_int_equal(f->copy.totals.outbox.count, 2);
	assert_int_equal(f->copy.totals.outbox.fsync, PAGE_FSYNC_NORMAL);
	assert_int_equal(f->copy.totals.outbox.waiting, 12);
	assert_int_equal(f->copy.totals.outbox.oldest_realtime, 1700000000000001);
	assert_int_equal(f->copy.totals.outbox.rejected, 3);
	assert_int_equal(f->copy.n_hooks, 1);
	assert_string_equal(f->copy.hooks[0].name, "flush");
	assert_int_equal(f->copy.hooks[0].state, PAGE_HOOK_FAILED);
	assert_int_equal(f->copy.hooks[0].result, -5);
	assert_int_equal(f->copy.n_slots, 3);
	const struct page_slot_copy *held = &f->copy.slots[0];
	assert_int_equal(held->state, PAGE_SLOT_HELD);
	assert_int_equal(held->backend_pid, 9912);
	assert_int_equal(held->backend_start, 1700000000000000);
	assert_int_equal(held->thread, 4312);
	assert_int_equal(held->last_result - held->since, 500000);
	assert_true(f->copy.slots[1].last_result == PAGE_UNKNOWN);
	assert_int_equal(held->uses, 1);
	assert_true(held->leaked);
	assert_string_equal(held->site, SITE);
	/* both clocks were read at nearly the same moment */
	assert_true(llabs(f->copy.seen - held->since - 2000000) < 1000000);
	assert_int_equal(f->copy.slots[1].backend_start, PAGE_UNKNOWN);
	assert_int_equal(f->copy.slots[2].state, PAGE_SLOT_CONNECTING);
	assert_int_equal(f->copy.slots[2].backend_pid, 0);
}

static void sites_keep_their_tail(void **state)
{
	static const struct {
		const char *site, *shown;
	} cases[] = {
		{ "a.c:1", "a.c:1" },
		{ "../../src/a.c:1", "src/a.c:1" },
		{ "/a/very/long/path/to/a/folder/that/nobody/wants/to/see/in/full/on/screen/b.c:12",
			"long/path" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789",
			"789012345678901234567890123456789012345678901234567890123456789" },
		{ "", "" },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		page_slot_held(&f->page->slots[0], monotonic(), 1, cases[i].site);
		assert_int_equal(read_own(f), PAGE_OK);
		if (i == 2)
			assert_string_equal(strrchr(f->copy.slots[0].site, '/'), "/b.c:12");
		else
			assert_string_equal(f->copy.slots[0].site, cases[i].shown);
	}
}

/* A change of a valid page, and the status with which it is then read. */
struct damage {
	size_t offset;
	const char *bytes;
	size_t length;
	int status;
};

#define AT(member)   offsetof(struct page, member)
#define SLOT(member) (sizeof(struct page) + offsetof(struct page_slot, member))
#define HOOK(member) (AT(hooks) + offsetof(struct page_hook, member))
#define BYTES(text)  text, sizeof(text) - 1

static const struct damage damages[] = {
	{ 0, BYTES("x"), PAGE_DAMAGED },
	{ AT(head.version), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(head.version), BYTES("\1\0\0\0"), PAGE_DAMAGED },
	{ AT(head.version), BYTES("\3\0\0\0"), PAGE_TOO_NEW },
	{ AT(head.file_size), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(head.file_size), BYTES("\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(head.slot_count), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(head.slot_count), BYTES("\4\0\0\0"), PAGE_DAMAGED },
	{ AT(head.slot_count), BYTES("\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(head.slot_size), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(head.slot_size), BYTES("\xf8\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(head.slots_at), BYTES("\xf8\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(head.slots_at), BYTES("\x41\x0b\0\0"), PAGE_DAMAGED },
	{ AT(head.hooks_at), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(head.hook_count), BYTES("\x11\0\0\0"), PAGE_DAMAGED },
	{ AT(identity.pid), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(identity.pid), BYTES("\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(identity.created_realtime), BYTES("\0\0\0\0\0\0\0\x80"), PAGE_DAMAGED },
	{ AT(limits.max), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(limits.max), BYTES("\4\0\0\0"), PAGE_DAMAGED },
	{ AT(limits.min), BYTES("\4\0\0\0"), PAGE_DAMAGED },
	{ AT(limits.held), BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(clock.realtime), BYTES("\xff\xff\xff\xff\xff\xff\xff\x7f"), PAGE_DAMAGED },
	{ AT(totals.phase), BYTES("\0\0\0\0"), PAGE_DAMAGED },
	{ AT(totals.phase), BYTES("\x63\0\0\0"), PAGE_DAMAGED },
	{ AT(totals.pending_writes), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(totals.outbox.fsync), BYTES("\2\0\0\0"), PAGE_DAMAGED },
	{ AT(totals.outbox.waiting), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ AT(totals.outbox.oldest_realtime), BYTES("\0\0\0\0\0\0\0\x80"), PAGE_DAMAGED },
	{ AT(totals.outbox.rejected), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ SLOT(state), BYTES("\5\0\0\0"), PAGE_DAMAGED },
	{ SLOT(backend_pid), BYTES("\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ SLOT(thread), BYTES("\0\0\0\x80"), PAGE_DAMAGED },
	{ SLOT(leaked), BYTES("\2\0\0\0"), PAGE_DAMAGED },
	{ SLOT(since_monotonic), BYTES("\xff\xff\xff\xff\xff\xff\xff\x7f"), PAGE_DAMAGED },
	{ SLOT(counters.longest_hold), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), PAGE_DAMAGED },
	{ SLOT(backend_start), BYTES("\1\0\0\0\0\0\0\x80"), PAGE_DAMAGED },
	{ HOOK(name), BYTES("x"), PAGE_OK },
	{ AT(clock.seq), BYTES("\1\0\0\0"), PAGE_OK },
};

static void damaged_pages_are_reported(void **state)
{
	struct fixture *f = *state;
	size_t size = f->page->head.file_size;
	char *good = malloc(size);
	page_slot_opened(&f->page->slots[0], 9912, 1700000000000000, monotonic());
	memcpy(good, f->page, size);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		memcpy((char *)f->page + damages[i].offset, damages[i].bytes, damages[i].length);
		int status = read_own(f);
		if (status != damages[i].status)
			fail_msg("damage %zu: %d", i, status);
		memcpy(f->page, good, size);
	}
	free(good);
}

/* With random bytes the reader returns, and a page that it accepts is within its bounds. */
static void random_bytes_do_no_harm(void **state)
{
	struct fixture *f = *state;
	size_t size = f->page->head.file_size;
	char *good = malloc(size);
	memcpy(good, f->page, size);
	srand(1);
	for (int round = 0; round < 3000; round++) {
		for (int i = 0; i < 4; i++)
			((char *)f->page)[(size_t)rand() % size] = (char)rand();
		int status = read_own(f);
		assert_true(status >= 0 && status < PAGE_STATUSES);
		if (status == PAGE_OK || status == PAGE_DEAD_OWNER) {
			assert_in_range(f->copy.n_slots, 1, PAGE_SLOTS_MAX);
			assert_in_range(f->copy.n_hooks, 0, PAGE_HOOKS_MAX);
			for (uint32_t i = 0; i < f->copy.n_slots; i++)
				assert_in_range(f->copy.slots[i].state, 0, PAGE_SLOT_STATES - 1);
		}
		memcpy(f->page, good, size);
	}
	free(good);
}

static void texts_are_made_harmless(void **state)
{
	struct fixture *f = *state;
	memset(f->page->identity.name, 'A', sizeof(f->page->identity.name));
	memcpy(f->page->identity.server, "\x1b[2J\x9b\xe2\x80\xae!", 9);
	page_slot_held(&f->page->slots[0], monotonic(), 1, "a\nb\x7f.c:1");
	assert_int_equal(read_own(f), PAGE_OK);
	assert_int_equal(strlen(f->copy.name), PAGE_NAME_MAX - 1);
	/* in two pieces: "?""?!" is a trigraph */
	assert_memory_equal(f->copy.server, "?[2J???", 7);
	assert_string_equal(f->copy.server + 7, "?!:5432/app");
	assert_string_equal(f->copy.slots[0].site, "a?b?.c:1");
}

static void strange_files_are_not_read(void **state)
{
	struct fixture *f = *state;
	char path[160];
	const char *own = page_writer_path(f->writer);
	snprintf(path, sizeof(path), "%s/link.page", f->folder);
	assert_int_equal(symlink(own, path), 0);
	assert_int_equal(read_file(f, "link.page"), PAGE_FOREIGN);
	/* it is not even opened: in a container's folder it may be a device */
	char event[256];
	snprintf(path, sizeof(path), "%s/fifo.page", f->folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	int opens = inotify_init1(IN_NONBLOCK);
	assert_true(inotify_add_watch(opens, path, IN_OPEN) >= 0);
	assert_int_equal(read_file(f, "fifo.page"), PAGE_FOREIGN);
	assert_int_equal(read(opens, event, sizeof(event)), -1);
	close(opens);
	snprintf(path, sizeof(path), "%s/folder.page", f->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(read_file(f, "folder.page"), PAGE_FOREIGN);
	snprintf(path, sizeof(path), "%s/empty.page", f->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(read_file(f, "empty.page"), PAGE_DAMAGED);
	assert_int_equal(read_file(f, "missing.page"), -ENOENT);
	assert_int_equal(chmod(own, 0620), 0);
	assert_int_equal(read_own(f), PAGE_FOREIGN);
	assert_int_equal(chmod(own, 0600), 0);
	assert_int_equal(read_own(f), PAGE_OK);
}

static void another_users_file_is_not_read(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(chown(page_writer_path(f->writer), 12345, 12345), 0);
	assert_int_equal(read_own(f), PAGE_FOREIGN);
}

/* What a container shows as its root. */
static void a_folder_is_opened_within_its_root_alone(void **state)
{
	const struct fixture *f = *state;
	char path[160];
	int root = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = page_open_folder_in(root, "dbpool");
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/link", f->root);
	assert_int_equal(symlink("dbpool", path), 0);
	assert_int_equal(page_open_folder_in(root, "link"), -ELOOP);
	assert_int_equal(page_open_folder_in(root, "link/."), -ELOOP);
	assert_int_equal(page_open_folder_in(root, "../tmp"), -EXDEV);
	assert_int_equal(page_open_folder_in(root, "/tmp"), -EXDEV);
	assert_int_equal(page_open_folder_in(root, "missing"), -ENOENT);
	close(root);
	/* the same by the path of a page that was read so */
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)getpid(), f->folder);
	fd = page_open_folder(path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/root%s/link/.", (int)getpid(), f->root);
	assert_int_equal(page_open_folder(path), -ELOOP);
}

static void a_page_cut_short_is_damaged(void **state)
{
	struct fixture *f = *state;
	size_t size = f->page->head.file_size;
	for (size_t length = 0; length < size; length += length < 80 ? 1 : 37) {
		assert_int_equal(truncate(page_writer_path(f->writer), (off_t)length), 0);
		assert_int_equal(read_own(f), PAGE_DAMAGED);
	}
}

struct stress {
	struct page_slot *slot;
	bool stop;
};

/* All fields of one write have the same number. */
static void *write_slots(void *data)
{
	struct stress *stress = data;
	char site[PAGE_SITE_MAX];
	for (int32_t i = 1; !__atomic_load_n(&stress->stop, __ATOMIC_RELAXED); i = i % 9 + 1) {
		memset(site, '0' + i, sizeof(site));
		site[sizeof(site) - 1] = '\0';
		page_slot_held(stress->slot, i, i, site);
		for (volatile int pause = 0; pause < 3000; pause++)
			;
	}
	return NULL;
}

static void a_torn_slot_is_never_seen(void **state)
{
	struct fixture *f = *state;
	struct stress stress = { .slot = &f->page->slots[1] };
	pthread_t thread;
	int whole = 0;
	int64_t offset = f->page->clock.realtime - f->page->clock.monotonic;
	int64_t deadline = monotonic() + 5000000;
	assert_int_equal(pthread_create(&thread, NULL, write_slots, &stress), 0);
	for (int i = 0; (i < 500 || whole < 100) && monotonic() < deadline; i++) {
		assert_int_equal(read_own(f), PAGE_OK);
		const struct page_slot_copy *slot = &f->copy.slots[1];
		if (slot->torn || slot->state != PAGE_SLOT_HELD)
			continue;
		whole++;
		assert_int_equal(slot->since - offset, slot->thread);
		assert_int_equal(strlen(slot->site), PAGE_SITE_MAX - 1);
		for (size_t j = 0; j < PAGE_SITE_MAX - 1; j++)
			assert_int_equal(slot->site[j], '0' + slot->thread);
	}
	__atomic_store_n(&stress.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(whole >= 100);
}

/* If a writer is killed during a store, that slot is reported as torn, and the other slots are
 * read. */
static void a_slot_torn_for_good_is_reported(void **state)
{
	struct fixture *f = *state;
	page_slot_opened(&f->page->slots[0], 1, PAGE_UNKNOWN, monotonic());
	f->page->slots[0].seq |= 1;
	assert_int_equal(read_own(f), PAGE_OK);
	assert_true(f->copy.slots[0].torn);
	assert_false(f->copy.slots[1].torn);
}

/* A second reader, written from the description only, must read the same values. */
static void another_reader_agrees(void **state)
{
	struct fixture *f = *state;
	char command[PAGE_PATH_MAX + 64], expected[512], seen[4096] = "";
	page_slot_opened(&f->page->slots[1], 9912, 1700000000000000, monotonic());
	page_slot_held(&f->page->slots[1], monotonic(), 4312, SITE);
	page_set(f->page->slots[0].counters.acquired, UINT64_C(800));
	page_set(f->page->slots[1].counters.acquired, UINT64_C(12));
	assert_int_equal(read_own(f), PAGE_OK);
	snprintf(command, sizeof(command), "python3 tests/support/read_page.py '%s'",
		page_writer_path(f->writer));
	FILE *reader = popen(command, "r");
	assert_non_null(reader);
	assert_non_null(fgets(seen, sizeof(seen), reader));
	assert_int_equal(pclose(reader), 0);
	snprintf(expected, sizeof(expected),
		"{\"pid\": %d, \"start_ticks\": %llu, \"name\": \"jarvis\", "
		"\"server\": \"127.0.0.1:5432/app\", \"phase\": 1, \"open\": 1, \"held\": 1, "
		"\"idle\": 0, \"waiters\": 0, \"acquired\": 812, \"created\": %lld, ",
		(int)getpid(), (unsigned long long)f->copy.start_ticks, (long long)f->copy.created);
	assert_memory_equal(seen, expected, strlen(expected));
	snprintf(expected, sizeof(expected),
		"{\"state\": 3, \"backend_pid\": 9912, \"thread\": 4312, \"uses\": 1, "
		"\"since\": %lld, \"backend_start\": 1700000000000000, \"site\": \"" SITE "\"}",
		(long long)f->copy.slots[1].since);
	assert_non_null(strstr(seen, expected));
}

/* A writer, written from the description only, must be read. */
static void another_writers_page_is_read(void **state)
{
	struct fixture *f = *state;
	char command[PAGE_PATH_MAX + 128], path[PAGE_PATH_MAX] = "";
	snprintf(command, sizeof(command),
		"python3 tests/support/write_page.py '%s' 4711 'shop/orders.py:212' <"
		"'%s/go'",
		f->folder, f->root);
	snprintf(path, sizeof(path), "%s/go", f->root);
	assert_int_equal(mkfifo(path, 0600), 0);
	FILE *writer = popen(command, "r");
	assert_non_null(writer);
	FILE *go = fopen(path, "w");
	assert_non_null(go);
	assert_non_null(fgets(path, sizeof(path), writer));
	path[strcspn(path, "\n")] = '\0';
	assert_int_equal(read_file(f, strrchr(path, '/') + 1), PAGE_OK);
	assert_string_equal(f->copy.name, "written");
	assert_string_equal(f->copy.server, "127.0.0.1:5432/app");
	assert_true(f->copy.owner_visible);
	assert_int_equal(f->copy.phase, PAGE_RUNNING);
	assert_int_equal(f->copy.limits.max, 2);
	assert_int_equal(f->copy.limits.held, 60000000);
	assert_int_equal(f->copy.totals.held, 1);
	assert_int_equal(f->copy.totals.acquired, 1);
	assert_int_equal(f->copy.totals.pending_writes, PAGE_UNKNOWN);
	assert_int_equal(f->copy.slots[0].backend_pid, 4711);
	assert_int_equal(f->copy.slots[0].backend_start, PAGE_UNKNOWN);
	assert_int_equal(f->copy.slots[0].opened, PAGE_UNKNOWN);
	assert_string_equal(f->copy.slots[0].site, "shop/orders.py:212");
	assert_int_equal(f->copy.slots[1].state, PAGE_SLOT_EMPTY);
	fclose(go);
	assert_int_equal(pclose(writer), 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void percentiles_come_from_buckets(void **state)
{
	uint64_t buckets[PAGE_BUCKETS] = { 0 };
	(void)state;
	assert_int_equal(page_percentile(buckets, 0.99), -1);
	assert_int_equal(page_bucket(-5), 0);
	assert_int_equal(page_bucket(0), 0);
	assert_int_equal(page_bucket(1), 1);
	assert_int_equal(page_bucket(2), 2);
	assert_int_equal(page_bucket(3), 2);
	assert_int_equal(page_bucket(INT64_MAX), PAGE_BUCKETS - 1);
	buckets[page_bucket(3)] = 98;
	buckets[page_bucket(1000)] = 2;
	assert_int_equal(page_percentile(buckets, 0.5), 4);
	assert_int_equal(page_percentile(buckets, 0.99), 1024);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(sites_keep_their_tail),
		TEST(damaged_pages_are_reported),
		TEST(random_bytes_do_no_harm),
		TEST(texts_are_made_harmless),
		TEST(strange_files_are_not_read),
		TEST(a_folder_is_opened_within_its_root_alone),
		TEST(a_page_cut_short_is_damaged),
		TEST(a_torn_slot_is_never_seen),
		TEST(a_slot_torn_for_good_is_reported),
		TEST(another_reader_agrees),
		TEST(another_writers_page_is_read),
		cmocka_unit_test(percentiles_come_from_buckets),
		/* this needs root */
		TEST(another_users_file_is_not_read),
	};
	return USERS_RUN_TESTS("page", tests, 1, NULL, NULL);
}
