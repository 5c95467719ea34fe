/* libdboutbox without a server: statements, the file, its limits, and a disk that loses power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outbox/batch.h"
#include "outbox/dboutbox.h"
#include "outbox/sqlstate.h"
#include "outbox/statement.h"
#include "outbox/store.h"
#include "power_loss.h"

static char folder[64], path[80];

static void remove_file(const char *suffix)
{
	char name[128];
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	unlink(name);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_outbox.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/box", folder);
	return 0;
}

static int clean_up(void **state)
{
	(void)state;
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock", "-journal", "-copy" };
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		remove_file(suffixes[i]);
	return rmdir(folder);
}

/* --- statements --- */

static void refuses_what_it_cannot_carry(void **state)
{
	(void)state;
	static const char *const good[] = { "INSERT INTO t VALUES (1)", "select 1",
		"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
		"/* COMMIT */ UPDATE t SET a = 1", "-- ROLLBACK\nDELETE FROM t", "CALL p()",
		"DO $$BEGIN END$$", "NOTIFY jobs",
		"/* a /* nested */ comment */ INSERT INTO t VALUES (1)", "(SELECT 1)",
		"committed_insert", "setting" };
	static const char *const bad[] = { "", "  ", ";", "-- nothing", "/* open", "COMMIT",
		"begin", " \n\tRollback", "/* x */SET a = 1", "-- x\r\ncopy t from stdin",
		"LISTEN a", "PREPARE p AS SELECT 1", "declare c cursor for select 1",
		";;; SAVEPOINT a", "END", "abort", "start transaction", "release a", "reset all",
		"discard all", "/* a /* b */ */ commit", "EXECUTE p", "fetch 1 from c",
		"unlisten *", "load 'x'" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (statement_refusal(good[i]))
			fail_msg("%s: %s", good[i], statement_refusal(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!statement_refusal(bad[i]))
			fail_msg("not refused: %s", bad[i]);
}

static void statements_come_back_as_they_were(void **state)
{
	(void)state;
	const char *const params[] = { "a", NULL, "", "ü'\"\\" };
	const struct dboutbox_statement statements[] = {
		{ .sql = "INSERT INTO t VALUES ($1, $2, $3, $4)", .n_params = 4, .params = params },
		{ .sql = "SELECT 1" },
	};
	void *blob;
	size_t size;
	assert_int_equal(statement_encode(statements, 2, &blob, &size), 0);
	struct statement_reader reader = { .blob = blob, .size = size };
	struct statement_view view = { 0 };
	assert_int_equal(statement_read(&reader, &view), 1);
	assert_string_equal(view.sql, statements[0].sql);
	assert_int_equal(view.n_params, 4);
	assert_string_equal(view.params[0], "a");
	assert_null(view.params[1]);
	assert_string_equal(view.params[2], "");
	assert_string_equal(view.params[3], params[3]);
	assert_int_equal(statement_read(&reader, &view), 1);
	assert_string_equal(view.sql, "SELECT 1");
	assert_int_equal(view.n_params, 0);
	assert_int_equal(statement_read(&reader, &view), 0);
	/* cut anywhere, it is damaged, and nothing is read beyond its end */
	for (size_t cut = 0; cut < size; cut++) {
		unsigned char *copy = malloc(cut ? cut : 1);
		memcpy(copy, blob, cut);
		reader = (struct statement_reader){ .blob = copy, .size = cut };
		int r;
		while ((r = statement_read(&reader, &view)) == 1)
			;
		assert_int_equal(r, -EBADMSG);
		free(copy);
	}
	free(view.params);
	free(blob);
}

static void sqlstates_have_their_action(void **state)
{
	(void)state;
	static const struct {
		const char *sqlstate;
		enum sqlstate_action action;
	} rows[] = {
		{ NULL, SQLSTATE_RECONNECT },
		{ "", SQLSTATE_RECONNECT },
		{ "08006", SQLSTATE_RECONNECT },
		{ "25006", SQLSTATE_RECONNECT },
		{ "57P01", SQLSTATE_RECONNECT },
		{ "57014", SQLSTATE_RETRY_FEW },
		{ "40001", SQLSTATE_RETRY },
		{ "40P01", SQLSTATE_RETRY },
		{ "53100", SQLSTATE_RETRY },
		{ "55P03", SQLSTATE_RETRY },
		{ "58030", SQLSTATE_RETRY },
		{ "28P01", SQLSTATE_HOLD },
		{ "3D000", SQLSTATE_HOLD },
		{ "3F000", SQLSTATE_HOLD },
		{ "42P01", SQLSTATE_HOLD },
		{ "42501", SQLSTATE_HOLD },
		{ "0A000", SQLSTATE_HOLD },
		{ "22012", SQLSTATE_REJECT },
		{ "23505", SQLSTATE_REJECT },
		{ "54000", SQLSTATE_REJECT },
		{ "P0001", SQLSTATE_REJECT },
		{ "25001", SQLSTATE_REJECT },
		{ "XX000", SQLSTATE_REJECT },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sqlstate_action(rows[i].sqlstate) != rows[i].action)
			fail_msg("%s", rows[i].sqlstate ? rows[i].sqlstate : "NULL");
}

/* --- the file --- */

static struct dboutbox_config standard(void)
{
	return (struct dboutbox_config){ .size = sizeof(struct dboutbox_config), .path = path };
}

static struct dboutbox *open_with(const struct dboutbox_config *config)
{
	int error;
	struct dboutbox *outbox = dboutbox_open(config, &error);
	if (!outbox)
		fail_msg("%s: %s", dboutbox_result_name(error), dboutbox_error());
	assert_int_equal(error, 0);
	return outbox;
}

static struct dboutbox *open_standard(void)
{
	struct dboutbox_config config = standard();
	return open_with(&config);
}

static int open_error(const struct dboutbox_config *config)
{
	int error = 0;
	assert_null(dboutbox_open(config, &error));
	assert_true(*dboutbox_error());
	return error;
}

static int write_number(struct dboutbox *outbox, int number)
{
	char text[24];
	snprintf(text, sizeof(text), "%d", number);
	const char *const params[] = { text };
	const struct dboutbox_statement statement = {
		.sql = "INSERT INTO t VALUES ($1)", .n_params = 1, .params = params
	};
	return dboutbox_write(outbox, &statement);
}

static struct dboutbox_stats stats_of(struct dboutbox *outbox)
{
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	return stats;
}

static void writes_stay_in_the_file(void **state)
{
	(void)state;
	struct dboutbox *outbox = open_standard();
	assert_int_equal(stats_of(outbox).state, DBOUTBOX_LOCAL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(write_number(outbox, i), DBOUTBOX_OK);
	assert_int_equal(dboutbox_flush(outbox, 10000), 10);
	dboutbox_close(outbox);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	outbox = open_standard();
	struct dboutbox_stats stats = stats_of(outbox);
	assert_int_equal(stats.pending, 10);
	assert_true(stats.pending_bytes > 10 * 25 && stats.oldest > 0);
	assert_int_equal(write_number(outbox, 10), DBOUTBOX_OK);
	assert_int_equal(stats_of(outbox).pending, 11);
	dboutbox_close(outbox);
}

static void a_file_is_open_once(void **state)
{
	(void)state;
	struct dboutbox_config config = standard();
	struct dboutbox *outbox = open_standard();
	assert_int_equal(open_error(&config), DBOUTBOX_BUSY);
	pid_t pid = fork();
	if (pid == 0) {
		/* the child neither uses nor closes it */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		int r = write_number(outbox, 1);
		dboutbox_close(outbox);
		pause();
		_exit(r);
	}
	assert_int_equal(write_number(outbox, 1), DBOUTBOX_OK);
	dboutbox_close(outbox);
	/* nor does it keep the file from being opened again */
	outbox = open_standard();
	assert_int_equal(stats_of(outbox).pending, 1);
	kill(pid, SIGKILL);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	dboutbox_close(outbox);
}

static void a_forked_child_is_refused(void **state)
{
	(void)state;
	struct dboutbox *outbox = open_standard();
	pid_t pid = fork();
	if (pid == 0) {
		bool good = write_number(outbox, 1) == DBOUTBOX_FORKED &&
			dboutbox_flush(outbox, 0) == -DBOUTBOX_FORKED;
		dboutbox_close(outbox);
		_exit(good ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(write_number(outbox, 2), DBOUTBOX_OK);
	assert_int_equal(stats_of(outbox).pending, 1);
	dboutbox_close(outbox);
}

static void other_files_are_refused(void **state)
{
	(void)state;
	struct dboutbox_config config = standard();
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			write(fd, "this is no database, and long enough to be read\n", 48), 48);
	close(fd);
	assert_int_equal(open_error(&config), DBOUTBOX_DAMAGED);
	unlink(path);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(open_error(&config), DBOUTBOX_DAMAGED);
	sqlite3_close(db);
	unlink(path);
	dboutbox_close(open_standard());
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(open_error(&config), DBOUTBOX_LAYOUT);
	config.path = "/nowhere/at/all";
	assert_int_equal(open_error(&config), DBOUTBOX_IO);
	config.path = "";
	assert_int_equal(open_error(&config), -EINVAL);
	config = standard();
	config.size = 4;
	assert_int_equal(open_error(&config), -EINVAL);
	config = standard();
	config.max_writes = -5;
	assert_int_equal(open_error(&config), -EINVAL);
	assert_int_equal(open_error(NULL), -EINVAL);
}

static void a_full_outbox_drops_nothing(void **state)
{
	(void)state;
	struct dboutbox_config config = standard();
	config.max_writes = 3;
	struct dboutbox *outbox = open_with(&config);
	for (int i = 0; i < 3; i++)
		assert_int_equal(write_number(outbox, i), DBOUTBOX_OK);
	assert_int_equal(write_number(outbox, 3), DBOUTBOX_FULL);
	assert_int_equal(stats_of(outbox).pending, 3);
	dboutbox_close(outbox);
	config.max_writes = 0;
	config.max_bytes = 1000;
	outbox = open_with(&config);
	int r, n = 0;
	while ((r = write_number(outbox, n)) == DBOUTBOX_OK)
		n++;
	assert_int_equal(r, DBOUTBOX_FULL);
	assert_true(n > 3 && stats_of(outbox).pending_bytes <= 1000);
	assert_int_equal(stats_of(outbox).pending, 3 + n);
	dboutbox_close(outbox);
}

static void bad_writes_are_refused(void **state)
{
	(void)state;
	struct dboutbox *outbox = open_standard();
	struct dboutbox_statement statement = { .sql = "COMMIT" };
	assert_int_equal(dboutbox_write(outbox, &statement), DBOUTBOX_STATEMENT);
	assert_non_null(strstr(dboutbox_error(), "controls a transaction"));
	statement = (struct dboutbox_statement){ .sql = NULL };
	assert_int_equal(dboutbox_write(outbox, &statement), -EINVAL);
	statement = (struct dboutbox_statement){ .sql = "SELECT $1", .n_params = 1 };
	assert_int_equal(dboutbox_write(outbox, &statement), -EINVAL);
	statement = (struct dboutbox_statement){ .sql = "SELECT $1", .n_params = 65536 };
	assert_int_equal(dboutbox_write(outbox, &statement), -EINVAL);
	assert_int_equal(dboutbox_write_many(outbox, &statement, 0), -EINVAL);
	/* one bad statement, and none is stored */
	const struct dboutbox_statement two[] = { { .sql = "SELECT 1" }, { .sql = "SET a = 1" } };
	assert_int_equal(dboutbox_write_many(outbox, two, 2), DBOUTBOX_STATEMENT);
	assert_int_equal(stats_of(outbox).pending, 0);
	dboutbox_close(outbox);
}

/* --- the server's numbers --- */

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

/* --- power loss --- */

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
		cmocka_unit_test(refuses_what_it_cannot_carry),
		cmocka_unit_test(statements_come_back_as_they_were),
		cmocka_unit_test(sqlstates_have_their_action),
		TEST(writes_stay_in_the_file),
		TEST(a_file_is_open_once),
		TEST(a_forked_child_is_refused),
		TEST(other_files_are_refused),
		TEST(a_full_outbox_drops_nothing),
		TEST(bad_writes_are_refused),
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
