/* outbox/store: the numbers that client and server give to writes, and a loss of power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../support/outbox_fixture.h"
#include "outbox/batch.h"
#include "outbox/dboutbox.h"
#include "outbox/statement.h"
#include "outbox/store.h"
#include "power_loss.h"

static struct store *open_store(int64_t keep)
{
	const struct store_options options = {
		.path = path, .full = true, .max_writes = 1000, .max_bytes = 1 << 20, .keep = keep
	};
	struct store *store;
	if (store_open(&options, &store) != 0)
		fail_msg("%s", dboutbox_error());
	return store;
}

static void append(struct store *store, int n)
{
	const struct dboutbox_statement statement = { .sql = "SELECT 1" };
	void *blob;
	size_t size;
	assert_int_equal(statement_encode(&statement, 1, &blob, &size), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(store_append(store, blob, size), 0);
	free(blob);
}

static int64_t pending(struct store *store)
{
	struct store_counts counts;
	store_counts(store, &counts);
	return counts.pending;
}

static void what_the_server_lost_is_sent_again(void **state)
{
	(void)state;
	struct store *store = open_store(3600 * INT64_C(1000000));
	struct batch batch = { 0 };
	struct store_epoch epoch;
	struct store_comparison comparison;
	append(store, 10);
	assert_int_equal(store_next(store, 4, &batch, &epoch), 0);
	assert_int_equal(batch.count, 4);
	assert_int_equal(batch.writes[0].sequence, 1);
	assert_int_equal(store_confirm(store, &epoch, 4), 0);
	assert_int_equal(pending(store), 6);
	/* a commit whose answer was lost */
	assert_int_equal(store_compare(store, &epoch, 7, &comparison), 0);
	assert_int_equal(comparison.confirmed, 3);
	assert_int_equal(pending(store), 3);
	/* a server that was restored from a backup */
	assert_int_equal(store_compare(store, &epoch, 2, &comparison), 0);
	assert_int_equal(comparison.resent, 5);
	assert_int_equal(comparison.gap, 0);
	assert_int_equal(pending(store), 8);
	assert_int_equal(store_next(store, 100, &batch, &epoch), 0);
	assert_int_equal(batch.count, 8);
	assert_int_equal(batch.writes[0].sequence, 3);
	/* a file that is older than the server */
	assert_int_equal(store_compare(store, &epoch, 11, &comparison), DBOUTBOX_DIVERGED);
	store_close(store);
	/* the same after a restart, which has an epoch of its own */
	store = open_store(3600 * INT64_C(1000000));
	assert_int_equal(pending(store), 8);
	append(store, 1);
	struct store_epoch *epochs;
	size_t n;
	assert_int_equal(store_epochs(store, &epochs, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(epochs[0].epoch, epoch.epoch);
	assert_int_equal(epochs[0].confirmed, 2);
	assert_int_equal(epochs[0].assigned, 10);
	assert_int_not_equal(epochs[1].epoch, epoch.epoch);
	free(epochs);
	assert_int_equal(store_next(store, 100, &batch, &epoch), 0);
	assert_int_equal(batch.count, 8); /* of one epoch */
	batch_free(&batch);
	store_close(store);
}

/* What is read ahead follows the batch, and changes nothing. */
static void the_next_batch_can_be_read_before(void **state)
{
	(void)state;
	struct store *store = open_store(3600 * INT64_C(1000000));
	struct batch batch = { 0 }, next = { 0 };
	struct store_epoch epoch;
	append(store, 10);
	assert_int_equal(store_next(store, 4, &batch, &epoch), 0);
	assert_int_equal(store_read_ahead(store, &epoch, 4, 4, &next), 0);
	assert_int_equal(next.count, 4);
	assert_int_equal(next.writes[0].sequence, 5);
	assert_int_equal(next.writes[3].sequence, 8);
	assert_int_equal(pending(store), 10);
	assert_int_equal(store_confirm(store, &epoch, 4), 0);
	assert_int_equal(store_read_ahead(store, &epoch, 8, 4, &next), 0);
	assert_int_equal(next.count, 2);
	assert_int_equal(store_read_ahead(store, &epoch, 10, 4, &next), 0);
	assert_int_equal(next.count, 0);
	batch_free(&batch);
	batch_free(&next);
	store_close(store);
}

static void a_gap_is_counted(void **state)
{
	(void)state;
	struct store *store = open_store(-1);
	struct batch batch = { 0 };
	struct store_epoch epoch;
	struct store_comparison comparison;
	append(store, 10);
	assert_int_equal(store_next(store, 100, &batch, &epoch), 0);
	const struct store_rejection rejection = { "23505", "exists", "SELECT 1" };
	assert_int_equal(store_reject(store, batch.writes[4].id, &rejection), 0);
	assert_int_equal(store_confirm(store, &epoch, 8), 0);
	struct store_counts counts;
	store_counts(store, &counts);
	assert_int_equal(counts.kept, 0);
	assert_int_equal(counts.rejected, 1);
	assert_int_equal(counts.pending, 2);
	/* 4 to 8 are gone, but for the rejected fifth */
	assert_int_equal(store_compare(store, &epoch, 3, &comparison), 0);
	assert_int_equal(comparison.gap, 4);
	assert_int_equal(comparison.resent, 0);
	/* It is reported once. */
	assert_int_equal(store_compare(store, &epoch, 3, &comparison), 0);
	assert_int_equal(comparison.gap, 0);
	batch_free(&batch);
	store_close(store);
}

static void kept_writes_make_room(void **state)
{
	(void)state;
	const struct store_options options = { .path = path,
		.full = true,
		.max_writes = 10,
		.max_bytes = 1 << 20,
		.keep = 3600 * INT64_C(1000000) };
	struct store *store;
	assert_int_equal(store_open(&options, &store), 0);
	struct batch batch = { 0 };
	struct store_epoch epoch;
	for (int round = 0; round < 10; round++) {
		append(store, 5);
		assert_int_equal(store_next(store, 100, &batch, &epoch), 0);
		assert_int_equal(batch.count, 5);
		assert_int_equal(store_confirm(store, &epoch, batch.writes[4].sequence), 0);
	}
	struct store_counts counts;
	store_counts(store, &counts);
	assert_int_equal(counts.pending, 0);
	assert_true(counts.kept <= 10 && counts.kept >= 5);
	batch_free(&batch);
	store_close(store);
}

#define NUMBERS 4000

struct history {
	int acknowledged[NUMBERS], n; /* in their order */
	int next;
};

/* The numbers that are pending must be those that were acknowledged, in that order, and perhaps
 * those on whose way the power went. `lost` may be missing at the end. Takes over what is there. */
static void compare_with_file(struct history *history, bool may_lose)
{
	struct store *store = open_store(-1);
	struct batch batch = { 0 };
	struct store_epoch epoch;
	struct history found = { .next = history->next };
	while (store_next(store, 1000, &batch, &epoch) == 0 && batch.count) {
		for (size_t i = 0; i < batch.count; i++) {
			struct statement_reader reader = { .blob = batch.writes[i].blob,
				.size = batch.writes[i].size };
			struct statement_view view = { 0 };
			assert_int_equal(statement_read(&reader, &view), 1);
			found.acknowledged[found.n++] = atoi(view.params[0]);
			free(view.params);
		}
		assert_int_equal(
			store_confirm(store, &epoch, batch.writes[batch.count - 1].sequence), 0);
	}
	int at = 0;
	for (int i = 0; i < found.n; i++) {
		if (i)
			assert_true(found.acknowledged[i] > found.acknowledged[i - 1]);
		while (at < history->n && history->acknowledged[at] < found.acknowledged[i]) {
			if (!may_lose)
				fail_msg("%d is lost", history->acknowledged[at]);
			at++;
		}
		at += at < history->n && history->acknowledged[at] == found.acknowledged[i];
	}
	if (!may_lose && at < history->n)
		fail_msg("%d is lost", history->acknowledged[at]);
	batch_free(&batch);
	store_close(store);
}

static void lose_power(enum dboutbox_fsync fsync)
{
	struct dboutbox_config config = standard();
	config.fsync = fsync;
	for (int round = 0; round < 40; round++) {
		struct history history = { 0 };
		unsigned seed = (unsigned)round;
		/* several power losses on one file */
		for (int again = 0; again < 3; again++) {
			power_loss_begin(rand_r(&seed) % 150, seed);
			int error;
			struct dboutbox *outbox = dboutbox_open(&config, &error);
			while (outbox && !power_loss_happened() && history.n < NUMBERS) {
				int number = history.next++;
				if (write_number(outbox, number) == DBOUTBOX_OK)
					history.acknowledged[history.n++] = number;
			}
			dboutbox_close(outbox);
			power_loss_end();
		}
		compare_with_file(&history, fsync == DBOUTBOX_FSYNC_NORMAL);
		remove_file("");
		remove_file("-wal");
		remove_file("-shm");
	}
}

static void a_power_loss_takes_nothing(void **state)
{
	(void)state;
	lose_power(DBOUTBOX_FSYNC_FULL);
}

static void a_power_loss_takes_the_last_unsynced_writes(void **state)
{
	(void)state;
	lose_power(DBOUTBOX_FSYNC_NORMAL);
}

/* What was read for sending is on the disk, also where writes are not synced. */
static void what_is_sent_is_on_the_disk(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		unsigned seed = (unsigned)round;
		power_loss_begin(20 + rand_r(&seed) % 60, seed);
		const struct store_options options = {
			.path = path, .max_writes = 1000, .max_bytes = 1 << 20, .keep = -1
		};
		struct store *store = NULL;
		struct batch batch = { 0 };
		struct store_epoch epoch = { 0 };
		int64_t sent = 0;
		int r = store_open(&options, &store);
		while (r == 0) {
			void *blob;
			size_t size;
			const struct dboutbox_statement statement = { .sql = "SELECT 1" };
			assert_int_equal(statement_encode(&statement, 1, &blob, &size), 0);
			r = store_append(store, blob, size);
			free(blob);
			if (r == 0 && rand_r(&seed) % 3 == 0 &&
				(r = store_next(store, 100, &batch, &epoch)) == 0)
				sent = batch.writes[batch.count - 1].sequence;
		}
		store_close(store);
		power_loss_end();
		if (sent) {
			struct store_comparison comparison;
			store = open_store(-1);
			assert_int_equal(store_compare(store, &epoch, sent, &comparison), 0);
			assert_int_equal(comparison.confirmed, sent);
			store_close(store);
		}
		batch_free(&batch);
		remove_file("");
		remove_file("-wal");
		remove_file("-shm");
	}
}

static long operations_of_append(struct store *store)
{
	long before = power_loss_count();
	append(store, 1);
	return power_loss_count() - before;
}

/* A mark needs no sync. One that fails must not leave appends without theirs. */
static void a_failed_mark_leaves_appends_durable(void **state)
{
	(void)state;
	power_loss_begin(-1, 0);
	struct store *store = open_store(-1);
	struct batch batch = { 0 };
	struct store_epoch epoch;
	append(store, 1);
	assert_int_equal(store_next(store, 1, &batch, &epoch), 0);
	long operations = operations_of_append(store);
	sqlite3 *other;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_confirm(store, &epoch, 1), DBOUTBOX_BUSY);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(operations_of_append(store), operations);
	batch_free(&batch);
	store_close(store);
	power_loss_end();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_server_lost_is_sent_again),
		TEST(the_next_batch_can_be_read_before),
		TEST(a_gap_is_counted),
		TEST(kept_writes_make_room),
		TEST(a_failed_mark_leaves_appends_durable),
		TEST(a_power_loss_takes_nothing),
		TEST(a_power_loss_takes_the_last_unsynced_writes),
		TEST(what_is_sent_is_on_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
