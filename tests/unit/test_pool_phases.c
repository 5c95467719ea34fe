/* watch/pool_phases: what a pool said last is read, also after it has removed its page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "model/shutdown.h"
#include "page/host.h"
#include "page/writer.h"
#include "watch/pool_phases.h"
#include "watch/record_pages.h"
#include "watch/record_phases.h"

struct fixture {
	char folder[64];
	struct page_writer *writer;
	struct shutdown_record record;
	struct pool_page item;
	struct pool_pages pages;
	struct pool_phases *phases;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int file_error;
	strcpy(f->folder, "/tmp/dbtop-phases-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	const struct page_writer_options options = {
		.folder = f->folder,
		.name = "app",
		.server = "127.0.0.1:5432/app",
		.limits = { .min = 1, .max = 1, .held = PAGE_NEVER },
		.slots = 1,
	};
	assert_int_equal(page_writer_new(&options, &f->writer, &file_error), 0);
	struct page *page = page_writer_page(f->writer);
	page_beat(page);
	page_set(page->totals.phase, PAGE_RUNNING);
	page_set(page->totals.pending_writes, 12);
	shutdown_record_init(&f->record);
	struct shutdown_process *process = shutdown_add_process(&f->record);
	process->pid = getpid();
	process->start_ticks = page->identity.start_ticks;
	f->item = (struct pool_page){ .path = page_writer_path(f->writer),
		.pid = getpid(),
		.inner_pid = getpid(),
		.pid_namespace = page->identity.pid_namespace,
		.start_ticks = process->start_ticks,
		.owner_visible = true,
		.status = POOL_PAGE_LIVE };
	f->pages = (struct pool_pages){ .items = &f->item, .count = 1 };
	f->phases = pool_phases_new();
	pool_phases_find(f->phases, &f->pages, &f->record);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	pool_phases_free(f->phases);
	page_writer_free(f->writer);
	shutdown_record_deinit(&f->record);
	rmdir(f->folder);
	free(f);
	return 0;
}

/* Between two readings the pool shuts down, and loses writes. */
static void the_last_words_of_a_pool_are_read(void **state)
{
	struct fixture *f = *state;
	struct page *page = page_writer_page(f->writer);
	struct page_hook *hook;
	size_t count;
	const struct pool_reading *readings = pool_phases_read(f->phases, 1, &count);
	assert_int_equal(count, 1);
	assert_int_equal(readings[0].pending, 12);
	assert_int_equal(readings[0].outbox, -1);
	assert_int_equal(readings[0].outbox, -1);
	assert_false(readings[0].is_new_phase);
	assert_false(pool_phases_are_over(f->phases, getpid()));
	assert_true(page_hook_add(page, "outbox", PAGE_HOOK_FLUSH, 5000, &hook));
	page_hook_set(hook, PAGE_HOOK_LATE, 0, 5000);
	page_set(page->totals.pending_writes, 7);
	page_set(page->totals.outbox.count, 1u);
	page_set(page->totals.outbox.waiting, INT64_C(3));
	page_set(page->totals.phase, PAGE_CLOSING);
	page_writer_remove(f->writer);
	readings = pool_phases_read(f->phases, 2, &count);
	assert_int_equal(count, 1);
	assert_int_equal(readings[0].pending, 7);
	assert_int_equal(readings[0].pending_before, 12);
	assert_int_equal(readings[0].outbox, 3);
	assert_true(readings[0].is_new_phase);
	assert_int_equal(readings[0].n_hooks, 1);
	assert_int_equal(readings[0].hooks[0].state, POOL_HOOK_LATE);
	assert_int_equal(readings[0].hooks[0].phase, POOL_HOOK_FLUSH);
	assert_int_equal(readings[0].hooks[0].duration, 5000);
	assert_true(pool_phases_are_over(f->phases, getpid()));
	/* then it is not read any more */
	(void)pool_phases_read(f->phases, 3, &count);
	assert_int_equal(count, 0);
}

/* A reading that shows a hook's end and a new phase: the hook ended after its own phase began, and
 * before a later one. */
static void hooks_end_between_the_phases(void **state)
{
	struct fixture *f = *state;
	struct page *page = page_writer_page(f->writer);
	struct page_hook *flush, *closed;
	size_t count;
	f->record.signalled_at = 1;
	assert_true(page_hook_add(page, "outbox", PAGE_HOOK_FLUSH, 5000, &flush));
	assert_true(page_hook_add(page, "report", PAGE_HOOK_CLOSED, 5000, &closed));
	static const struct {
		enum page_phase phase;
		bool flushed, reported;
		int64_t flushed_at, reported_at;
	} readings[] = {
		{ PAGE_FLUSHING, true, false, 101, INSTANT_UNKNOWN },
		{ PAGE_CLOSING, true, true, 100, 101 },
		{ PAGE_DONE, false, true, INSTANT_UNKNOWN, 100 },
	};
	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
		page_set(page->totals.phase, PAGE_RUNNING);
		page_hook_set(flush, PAGE_HOOK_WAITING, 0, 0);
		page_hook_set(closed, PAGE_HOOK_WAITING, 0, 0);
		(void)pool_phases_read(f->phases, 1, &count);
		f->record.n_hooks = f->record.n_phases = 0;
		page_set(page->totals.phase, readings[i].phase);
		if (readings[i].flushed)
			page_hook_set(flush, PAGE_HOOK_DONE, 0, 5000);
		if (readings[i].reported)
			page_hook_set(closed, PAGE_HOOK_DONE, 0, 5000);
		const struct pool_reading *found = pool_phases_read(f->phases, 100, &count);
		record_phases(&f->record, f->phases, found, count, 100);
		assert_int_equal(f->record.n_hooks, 2);
		assert_true(f->record.hooks[0].ended_at == readings[i].flushed_at);
		assert_true(f->record.hooks[1].ended_at == readings[i].reported_at);
		assert_true(f->record.phases[0].began_at == 100);
	}
}

/* Writes in an outbox; one that was closed and keeps nothing is not on the page any more. */
static void an_outbox_is_read(void **state)
{
	struct fixture *f = *state;
	struct page *page = page_writer_page(f->writer);
	size_t count;
	page_set(page->totals.outbox.count, (uint32_t)1);
	page_set(page->totals.outbox.waiting, (int64_t)9);
	const struct pool_reading *readings = pool_phases_read(f->phases, 1, &count);
	assert_int_equal(readings[0].outbox, 9);
	page_set(page->totals.outbox.count, (uint32_t)0);
	page_set(page->totals.outbox.waiting, (int64_t)0);
	readings = pool_phases_read(f->phases, 2, &count);
	assert_int_equal(readings[0].outbox, 0);
	assert_int_equal(readings[0].outbox_before, 9);
}

/* It is read when it is found: it may be gone before the next sample. */
static void a_page_that_is_gone_at_the_first_sample_is_known(void **state)
{
	struct fixture *f = *state;
	size_t count;
	page_set(page_writer_page(f->writer)->totals.phase, PAGE_CLOSING);
	page_writer_remove(f->writer);
	(void)pool_phases_read(f->phases, 1, &count);
	assert_int_equal(count, 1);
	assert_true(pool_phases_are_over(f->phases, getpid()));
	assert_false(pool_phases_are_over(f->phases, getpid() + 1));
	/* kept as evidence as long as its process is in the record */
	pool_phases_forget(f->phases, &f->record);
	assert_true(pool_phases_are_over(f->phases, getpid()));
	f->record.n_processes = 0;
	pool_phases_forget(f->phases, &f->record);
	assert_false(pool_phases_are_over(f->phases, getpid()));
}

/* An interpreter that ends removes the page of a pool that the application did not close. */
static void a_page_of_a_running_pool_proves_nothing(void **state)
{
	struct fixture *f = *state;
	size_t count;
	page_writer_remove(f->writer);
	(void)pool_phases_read(f->phases, 1, &count);
	assert_false(pool_phases_are_over(f->phases, getpid()));
	/* Neither when a later pool of the process was closed in order. */
	int file_error;
	struct page_writer *second;
	const struct page_writer_options options = { .folder = f->folder,
		.name = "app",
		.server = "",
		.limits = { .max = 1, .held = PAGE_NEVER },
		.slots = 1 };
	assert_int_equal(page_writer_new(&options, &second, &file_error), 0);
	f->item.path = page_writer_path(second);
	page_set(page_writer_page(second)->totals.phase, PAGE_DONE);
	pool_phases_forget(f->phases, &f->record);
	pool_phases_find(f->phases, &f->pages, &f->record);
	page_writer_remove(second);
	(void)pool_phases_read(f->phases, 2, &count);
	assert_int_equal(count, 1);
	assert_false(pool_phases_are_over(f->phases, getpid()));
	page_writer_free(second);
}

/* Finds the item, with a new reader, and says whether its page is read. */
static bool is_read(struct fixture *f)
{
	size_t count;
	pool_phases_free(f->phases);
	f->phases = pool_phases_new();
	pool_phases_find(f->phases, &f->pages, &f->record);
	(void)pool_phases_read(f->phases, 1, &count);
	return count > 0;
}

/* Two containers that are started together have processes of the same pid and start. */
static void a_namesake_is_not_read(void **state)
{
	struct fixture *f = *state;
	assert_true(is_read(f));
	f->item.owner_visible = false;
	assert_false(is_read(f));
	f->item.owner_visible = true;
	f->item.host = "db2";
	assert_false(is_read(f));
	f->item.host = NULL;
	/* the page that was found has gone, and another process's has its name */
	struct page_identity *identity = &page_writer_page(f->writer)->identity;
	identity->pid_namespace++;
	assert_false(is_read(f));
	identity->pid_namespace--;
	identity->start_ticks++;
	assert_false(is_read(f));
	identity->start_ticks--;
	identity->pid++;
	assert_false(is_read(f));
	identity->pid--;
	assert_true(is_read(f));
	/* it began and ended between two scans: what it lost is on its page */
	f->item.status = POOL_PAGE_DEAD;
	assert_true(is_read(f));
}

/* What was not read is counted, and known as the application's by a session or a process. */
static void pages_that_are_not_read_are_counted(void **state)
{
	struct fixture *f = *state;
	struct pool_slot slot = { .backend_pid = 99, .backend_start = 7 };
	struct source_state sources[SOURCE_COUNT] = { 0 };
	struct assessment assessment = {
		.pages = &f->pages, .sources = sources, .n_sources = SOURCE_COUNT
	};
	struct shutdown_connection *connection = shutdown_add_connection(&f->record);
	connection->backend = 99;
	connection->backend_start = 7;
	CLEANUP(cleanup_free) char *by_name = mem_printf("/tmp/x/%d-3.page", (int)getpid());
	const struct {
		const char *path;
		enum pool_page_status status;
		bool visible;
		const char *host;
		const struct pool_slot *slot;
		size_t unread;
		bool own;
	} cases[] = {
		{ "/tmp/x/1-1.page", POOL_PAGE_LIVE, true, NULL, NULL, 0, false },
		{ "/tmp/x/1-1.page", POOL_PAGE_DEAD, true, NULL, NULL, 0, false },
		{ "/tmp/x/1-1.page", POOL_PAGE_LIVE, false, "db2", &slot, 0, false },
		{ "/tmp/x/1-1.page", POOL_PAGE_LIVE, false, NULL, NULL, 1, false },
		{ "/tmp/x/1-1.page", POOL_PAGE_LIVE, false, NULL, &slot, 1, true },
		{ "/tmp/x/1-1.page", POOL_PAGE_TOO_NEW, false, NULL, NULL, 1, false },
		{ by_name, POOL_PAGE_TOO_NEW, false, NULL, NULL, 1, true },
		{ by_name, POOL_PAGE_LIVE, false, NULL, NULL, 1, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool own;
		f->item = (struct pool_page){ .path = cases[i].path,
			.status = cases[i].status,
			.owner_visible = cases[i].visible,
			.host = cases[i].host,
			.slots = (struct pool_slot *)cases[i].slot,
			.n_slots = cases[i].slot ? 1 : 0 };
		record_pages(&f->record, &assessment);
		assert_int_equal(shutdown_count_unread(&f->record, &own), cases[i].unread);
		assert_int_equal(own, cases[i].own);
	}
	/* after the signal nothing is forgotten, but what is read then was read */
	bool own;
	f->record.signalled_at = 1;
	f->pages.count = 0;
	sources[SOURCE_PAGES].error = "too many";
	record_pages(&f->record, &assessment);
	assert_int_equal(shutdown_count_unread(&f->record, &own), 1);
	f->pages.count = 1;
	f->item.owner_visible = true;
	sources[SOURCE_PAGES].error = NULL;
	record_pages(&f->record, &assessment);
	assert_int_equal(shutdown_count_unread(&f->record, &own), 0);
	assert_string_equal(f->record.pages_error, "too many");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_last_words_of_a_pool_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hooks_end_between_the_phases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_outbox_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_namesake_is_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			pages_that_are_not_read_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_page_of_a_running_pool_proves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_page_that_is_gone_at_the_first_sample_is_known, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("pool_phases", tests, NULL, NULL);
}
