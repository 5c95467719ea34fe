/* libdboutbox without memory: each allocation fails once, its own (by the linker's --wrap) and
 * SQLite's (by its configuration). The call that needs it returns -ENOMEM, and nothing that was
 * acknowledged is lost.
 *
 * test_outbox_memory [STRIDE]: each STRIDE-th allocation, 23 by default; 1 takes a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "outbox/batch.h"
#include "outbox/dboutbox.h"
#include "outbox/statement.h"
#include "outbox/store.h"

static char folder[64], path[80];

/* --- allocations --- */

static bool counting, lasting; /* lasting: all that follow fail, too */
static long left;              /* so many succeed; then one fails */
static bool failed;

static bool fails(void)
{
	if (!counting || (failed && !lasting))
		return false;
	failed = failed || left-- == 0;
	return failed;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

static sqlite3_mem_methods standard;

static void *sqlite_malloc(int size)
{
	return fails() ? NULL : standard.xMalloc(size);
}

static void *sqlite_realloc(void *memory, int size)
{
	return fails() ? NULL : standard.xRealloc(memory, size);
}

static long stride = 23;

/* --- what is done --- */

/* What happened in a run. */
static long acknowledged, refused;

/* A call's result; from the failure on all goes well, so that the rest shows what it has left. */
static int checked(int r)
{
	if (r != 0) {
		if (r != -ENOMEM || !failed)
			fail_msg("allocation fails: %d (%s)", r, dboutbox_error());
		counting = false;
		refused++;
	}
	return r;
}

static struct dboutbox *open_outbox(void)
{
	const struct dboutbox_config config = { .size = sizeof(config), .path = path };
	int r;
	struct dboutbox *outbox = dboutbox_open(&config, &r);
	if (outbox)
		return outbox;
	(void)checked(r);
	outbox = dboutbox_open(&config, &r);
	if (!outbox)
		fail_msg("%s", dboutbox_error());
	return outbox;
}

static void use_outbox(void)
{
	const char *const params[] = { "a", NULL };
	const struct dboutbox_statement statements[] = {
		{ .sql = "INSERT INTO t VALUES ($1, $2)", .n_params = 2, .params = params },
		{ .sql = "SELECT 1" },
	};
	struct dboutbox *outbox = open_outbox();
	struct dboutbox_stats stats;
	for (int i = 0; i < 3; i++)
		acknowledged += checked(dboutbox_write(outbox, statements)) == 0;
	acknowledged += checked(dboutbox_write_many(outbox, statements, 2)) == 0;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	assert_int_equal(stats.pending, acknowledged);
	assert_int_equal(dboutbox_flush(outbox, 0), acknowledged);
	dboutbox_close(outbox);
}

static void append(struct store *store)
{
	void *blob;
	size_t size;
	const struct dboutbox_statement statement = { .sql = "INSERT INTO t VALUES (1)" };
	if (checked(statement_encode(&statement, 1, &blob, &size)) != 0)
		return;
	acknowledged += checked(store_append(store, blob, size)) == 0;
	free(blob);
}

static struct store *open_store(void)
{
	const struct store_options options = {
		.path = path, .full = true, .max_writes = 100, .max_bytes = 1 << 20, .keep = -1
	};
	struct store *store = NULL;
	if (checked(store_open(&options, &store)) != 0)
		assert_int_equal(store_open(&options, &store), 0);
	return store;
}

/* What a sender does. A call that failed is made again, as the sender does. */
static void use_store(void)
{
	struct store *store = open_store();
	struct batch batch = { 0 };
	struct store_epoch epoch, *epochs = NULL;
	struct store_comparison comparison;
	struct store_counts counts;
	size_t n;
	const struct store_rejection rejection = {
		.sqlstate = "22012", .message = "division by zero", .sql = "SELECT 1/0"
	};
	for (int i = 0; i < 20; i++)
		append(store);
	while (checked(store_next(store, 100, &batch, &epoch)) != 0)
		;
	assert_int_equal(batch.count, acknowledged);
	while (checked(store_epochs(store, &epochs, &n)) != 0)
		;
	assert_int_equal(n, 1);
	free(epochs);
	while (checked(store_reject(store, batch.writes[0].id, &rejection)) != 0)
		;
	while (checked(store_compare(store, &epoch, batch.writes[4].sequence, &comparison)) != 0)
		;
	assert_int_equal(comparison.confirmed, 4);
	while (checked(store_confirm(store, &epoch, batch.writes[9].sequence)) != 0)
		;
	while (checked(store_prune(store)) != 0)
		;
	store_counts(store, &counts);
	assert_int_equal(counts.pending, acknowledged - 10);
	assert_int_equal(counts.rejected, 1);
	acknowledged -= 10;
	batch_free(&batch);
	store_close(store);
}

static int64_t pending(void)
{
	struct dboutbox *outbox = open_outbox();
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	dboutbox_close(outbox);
	return stats.pending;
}

static void remove_files(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock" };
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char name[128];
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

/* Each stride-th allocation of a run fails, until a run has none left. */
static void fail_each(void (*use)(void), bool all_that_follow)
{
	long runs_refused = 0;
	failed = true;
	for (long first = all_that_follow ? stride / 2 : 0; failed; first += stride) {
		acknowledged = refused = 0;
		lasting = all_that_follow;
		failed = false;
		left = first;
		counting = true;
		use();
		counting = false;
		assert_int_equal(pending(), acknowledged);
		runs_refused += refused > 0;
		remove_files();
	}
	/* SQLite does without some, so not each one is noticed */
	assert_true(runs_refused > 20);
}

static void an_outbox_reports_each_failure(void **state)
{
	(void)state;
	fail_each(use_outbox, false);
	fail_each(use_outbox, true);
}

static void a_store_reports_each_failure(void **state)
{
	(void)state;
	fail_each(use_store, false);
	fail_each(use_store, true);
}

static int set_up(void **state)
{
	(void)state;
	/* the files are made some hundred times, and each time synced */
	snprintf(folder, sizeof(folder), "%s/test_outbox_memory.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/box", folder);
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &standard), SQLITE_OK);
	sqlite3_mem_methods methods = standard;
	methods.xMalloc = sqlite_malloc;
	methods.xRealloc = sqlite_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
	return sqlite3_initialize() == SQLITE_OK ? 0 : -1;
}

static int clean_up(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(int argc, char **argv)
{
	if (argc > 1 && atol(argv[1]) > 0)
		stride = atol(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outbox_reports_each_failure),
		cmocka_unit_test(a_store_reports_each_failure),
	};
	return cmocka_run_group_tests_name("outbox_memory", tests, set_up, clean_up);
}
