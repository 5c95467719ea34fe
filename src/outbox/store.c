/* The queue in memory and in the file. layout.c describes the tables. */
#include "outbox/store.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "outbox/batch.h"
#include "outbox/database.h"
#include "outbox/dboutbox.h"
#include "outbox/error.h"
#include "outbox/layout.h"

#define SEQUENCE_BITS 40
#define SEQUENCE_MASK ((INT64_C(1) << SEQUENCE_BITS) - 1)

#define BATCH_BYTES (1 << 20)

#define USEC_PER_SEC INT64_C(1000000)

/* How long an epoch is remembered where sent writes are not kept. */
#define FORGET_AFTER (3600 * USEC_PER_SEC)

enum query {
	QUERY_APPEND,
	QUERY_SYNC,
	QUERY_NEXT,
	QUERY_OLDEST,
	QUERY_SUM,
	QUERY_CONFIRM,
	QUERY_UNCONFIRM,
	QUERY_REJECT,
	QUERY_DELETE,
	QUERY_COUNT_REJECTED,
	QUERY_FIND_OLD,
	QUERY_PRUNE,
	QUERY_SET_PRUNED,
	QUERY_FORGET,
	QUERIES,
};

static const char *const queries[QUERIES] = {
	[QUERY_APPEND] = "INSERT INTO writes VALUES (?1, ?2, ?3)",
	[QUERY_SYNC] = "UPDATE outbox SET synced = synced + 1",
	[QUERY_NEXT] =
		"SELECT id, statements FROM writes WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
	[QUERY_OLDEST] =
		"SELECT written_at FROM writes WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 1",
	[QUERY_SUM] = "SELECT count(*), coalesce(sum(length(statements)), 0) FROM writes"
		      " WHERE id > ?1 AND id <= ?2",
	[QUERY_CONFIRM] = "INSERT OR REPLACE INTO confirmations VALUES (?1, ?2, ?3)",
	[QUERY_UNCONFIRM] = "DELETE FROM confirmations WHERE place = ?1 AND sequence > ?2",
	[QUERY_REJECT] = "INSERT INTO rejected SELECT id, written_at, ?2, ?3, ?4, ?5, statements"
			 " FROM writes WHERE id = ?1",
	[QUERY_DELETE] = "DELETE FROM writes WHERE id = ?1",
	[QUERY_COUNT_REJECTED] = "SELECT count(*) FROM rejected WHERE id > ?1 AND id <= ?2",
	[QUERY_FIND_OLD] = "SELECT place, sequence FROM confirmations NATURAL JOIN epochs"
			   " WHERE sequence > pruned AND at <= ?1 ORDER BY place, sequence LIMIT 1",
	[QUERY_PRUNE] = "DELETE FROM writes WHERE id > ?1 AND id <= ?2",
	[QUERY_SET_PRUNED] = "UPDATE epochs SET pruned = ?2 WHERE place = ?1",
	[QUERY_FORGET] = "DELETE FROM confirmations WHERE place = ?1 AND sequence < ?2",
};

/* An epoch with writes, or the present one, which is the last. */
struct epoch {
	struct store_epoch seen;
	int64_t pruned;
};

struct store {
	pthread_mutex_t mutex; /* guards all below */
	struct database database;
	sqlite3_stmt *statements[QUERIES];
	char id[LAYOUT_ID_MAX];
	bool full, unsynced;
	int64_t max_writes, max_bytes, keep;
	struct epoch *epochs;
	size_t n_epochs;
	int64_t pending, pending_bytes, all, all_bytes, rejected, handled;
	int64_t oldest; /* see struct store_counts; −1: not known, the file tells */
};

static int64_t wall_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static int64_t write_id(int64_t place, int64_t sequence)
{
	return place << SEQUENCE_BITS | sequence;
}

static int run(struct store *store, enum query query, int n, const int64_t *numbers)
{
	return database_run(&store->database, store->statements[query], n, numbers);
}

/* The first row's two numbers, or 0; `ret_second` may be NULL. 1: there is a row. */
static int read_row(struct store *store, enum query query, int n, const int64_t *numbers,
	int64_t *ret_first, int64_t *ret_second)
{
	*ret_first = 0;
	if (ret_second)
		*ret_second = 0;
	sqlite3_stmt *statement = store->statements[query];
	for (int i = 0; i < n; i++)
		(void)sqlite3_bind_int64(statement, i + 1, numbers[i]);
	int code = sqlite3_step(statement);
	int r = database_result(&store->database, code, "cannot read the outbox");
	if (r == 0 && code == SQLITE_ROW) {
		*ret_first = sqlite3_column_int64(statement, 0);
		if (ret_second)
			*ret_second = sqlite3_column_int64(statement, 1);
	}
	(void)sqlite3_reset(statement);
	return r != 0 ? r : code == SQLITE_ROW ? 1 : 0;
}

/* Number and bytes of an epoch's writes above `from`, up to `to`. */
static int sum(struct store *store, int64_t place, int64_t from, int64_t to, int64_t *ret_count,
	int64_t *ret_bytes)
{
	const int64_t range[] = { write_id(place, from), write_id(place, to) };
	int r = read_row(store, QUERY_SUM, 2, range, ret_count, ret_bytes);
	return r == 1 ? 0 : r;
}

/* --- open --- */

static int add_epoch(struct store *store, sqlite3_stmt *row)
{
	struct epoch *epochs =
		realloc(store->epochs, (store->n_epochs + 1) * sizeof(*store->epochs));
	if (!epochs)
		return outbox_fail(-ENOMEM, "out of memory");
	store->epochs = epochs;
	epochs[store->n_epochs++] = (struct epoch){
		.seen = {
			.place = sqlite3_column_int64(row, 0),
			.epoch = sqlite3_column_int64(row, 1),
			.confirmed = sqlite3_column_int64(row, 3),
			.assigned = sqlite3_column_int64(row, 4),
		},
		.pruned = sqlite3_column_int64(row, 2),
	};
	return 0;
}

static int load_epochs(struct store *store)
{
	sqlite3_stmt *row;
	int r = database_prepare(&store->database,
		"SELECT place, epoch, pruned, confirmed, max(confirmed, pruned,"
		"  coalesce((SELECT max(id) & 0xffffffffff FROM writes"
		"   WHERE id > place << 40 AND id < (place + 1) << 40), 0),"
		"  coalesce((SELECT max(id) & 0xffffffffff FROM rejected"
		"   WHERE id > place << 40 AND id < (place + 1) << 40), 0))"
		" FROM (SELECT *, coalesce((SELECT max(sequence) FROM confirmations"
		"  WHERE confirmations.place = epochs.place), 0) AS confirmed FROM epochs)"
		" ORDER BY place",
		&row);
	if (r != 0)
		return r;
	int code;
	while (r == 0 && (code = sqlite3_step(row)) == SQLITE_ROW)
		r = add_epoch(store, row);
	if (r == 0)
		r = database_result(&store->database, code, "cannot read the outbox");
	(void)sqlite3_finalize(row);
	return r;
}

static int load_counts(struct store *store)
{
	for (size_t i = 0; i < store->n_epochs; i++) {
		const struct store_epoch *epoch = &store->epochs[i].seen;
		int64_t kept, kept_bytes, pending, bytes;
		int r = sum(store, epoch->place, 0, epoch->confirmed, &kept, &kept_bytes);
		if (r == 0)
			r = sum(store, epoch->place, epoch->confirmed, SEQUENCE_MASK, &pending,
				&bytes);
		if (r != 0)
			return r;
		store->all += kept + pending;
		store->all_bytes += kept_bytes + bytes;
		store->pending += pending;
		store->pending_bytes += bytes;
	}
	return layout_read_number(
		&store->database, "SELECT count(*) FROM rejected", &store->rejected);
}

static int prepare_all(struct store *store)
{
	int r = 0;
	for (int i = 0; r == 0 && i < QUERIES; i++)
		r = database_prepare(&store->database, queries[i], &store->statements[i]);
	return r;
}

static int open_file(struct store *store, const char *path)
{
	int64_t keep = store->keep < 0 ? FORGET_AFTER : store->keep;
	int r = database_open(path, &store->database);
	if (r == 0)
		r = layout_open(&store->database, path, wall_clock() - keep, store->id);
	if (r == 0)
		r = prepare_all(store);
	if (r == 0)
		r = load_epochs(store);
	if (r == 0)
		r = load_counts(store);
	return r == 0 ? database_set_sync(&store->database, store->full) : r;
}

int store_open(const struct store_options *options, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return outbox_fail(-ENOMEM, "out of memory");
	*store = (struct store){
		.database.lock = -1,
		.full = options->full,
		.max_writes = options->max_writes,
		.max_bytes = options->max_bytes,
		.keep = options->keep,
		.oldest = -1,
	};
	pthread_mutex_init(&store->mutex, NULL);
	int r = open_file(store, options->path);
	if (r != 0) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < QUERIES; i++)
		(void)sqlite3_finalize(store->statements[i]);
	database_close(&store->database);
	pthread_mutex_destroy(&store->mutex);
	free(store->epochs);
	free(store);
}

void store_forked(struct store *store)
{
	database_forked(&store->database);
}

const char *store_id(const struct store *store)
{
	return store->id;
}

/* --- transactions that need no sync --- */

static int begin_marks(struct store *store)
{
	int r = store->full ? database_set_sync(&store->database, false) : 0;
	if (r == 0)
		r = database_begin(&store->database);
	/* What is appended next must be synced again. */
	if (r != 0 && store->full)
		(void)!database_set_sync(&store->database, true);
	return r;
}

static int end_marks(struct store *store, int r)
{
	if (r == 0)
		r = database_commit(&store->database);
	else
		database_roll_back(&store->database);
	if (!store->full)
		return r;
	int sync = database_set_sync(&store->database, true);
	return r == 0 ? sync : r;
}

/* --- pruning --- */

/* Removes one batch that was confirmed before `before`. 1: removed, 0: there is none. */
static int prune_batch(struct store *store, int64_t before)
{
	int64_t place, sequence, count, bytes;
	int r = read_row(store, QUERY_FIND_OLD, 1, &before, &place, &sequence);
	if (r != 1)
		return r;
	struct epoch *epoch = store->epochs;
	while (epoch < store->epochs + store->n_epochs && epoch->seen.place != place)
		epoch++;
	if (epoch == store->epochs + store->n_epochs)
		return outbox_fail(DBOUTBOX_DAMAGED, "the outbox confirms an unknown epoch");
	r = sum(store, place, epoch->pruned, sequence, &count, &bytes);
	const int64_t range[] = { write_id(place, epoch->pruned), write_id(place, sequence) };
	const int64_t mark[] = { place, sequence };
	if (r == 0)
		r = begin_marks(store);
	if (r != 0)
		return r;
	r = run(store, QUERY_PRUNE, 2, range);
	if (r == 0)
		r = run(store, QUERY_SET_PRUNED, 2, mark);
	if (r == 0)
		r = run(store, QUERY_FORGET, 2, mark);
	r = end_marks(store, r);
	if (r != 0)
		return r;
	epoch->pruned = sequence;
	store->all -= count;
	store->all_bytes -= bytes;
	return 1;
}

int store_prune(struct store *store)
{
	pthread_mutex_lock(&store->mutex);
	int64_t now = wall_clock();
	int r = prune_batch(store, store->keep < 0 ? now : now - store->keep);
	pthread_mutex_unlock(&store->mutex);
	return r;
}

/* --- writing --- */

/* Makes room at the expense of what is kept. */
static int make_room(struct store *store, int64_t size)
{
	while (store->all >= store->max_writes || store->all_bytes > store->max_bytes - size) {
		if (store->pending >= store->max_writes ||
			store->pending_bytes > store->max_bytes - size)
			return outbox_fail(DBOUTBOX_FULL,
				"the outbox is full: %" PRId64 " writes with %" PRId64
				" bytes wait",
				store->pending, store->pending_bytes);
		int r = prune_batch(store, INT64_MAX);
		if (r != 1)
			return r == 0 ? outbox_fail(DBOUTBOX_FULL, "the outbox is full") : r;
	}
	return 0;
}

static int append(struct store *store, const void *blob, size_t size)
{
	int r = make_room(store, (int64_t)size);
	if (r != 0)
		return r;
	struct store_epoch *epoch = &store->epochs[store->n_epochs - 1].seen;
	/* A number is not used again even if this fails: what a failed sync left is not known. */
	int64_t sequence = ++epoch->assigned;
	sqlite3_stmt *statement = store->statements[QUERY_APPEND];
	(void)sqlite3_bind_blob64(statement, 3, blob, size, SQLITE_STATIC);
	const int64_t numbers[] = { write_id(epoch->place, sequence), wall_clock() };
	r = run(store, QUERY_APPEND, 2, numbers);
	(void)sqlite3_bind_null(statement, 3);
	if (r != 0)
		return r;
	store->unsynced = !store->full;
	if (!store->pending)
		store->oldest = numbers[1];
	store->all++;
	store->all_bytes += (int64_t)size;
	store->pending++;
	store->pending_bytes += (int64_t)size;
	return 0;
}

int store_append(struct store *store, const void *blob, size_t size)
{
	pthread_mutex_lock(&store->mutex);
	int r = append(store, blob, size);
	pthread_mutex_unlock(&store->mutex);
	return r;
}

/* --- sending --- */

static int read_batch(
	struct store *store, const struct store_epoch *epoch, size_t most, struct batch *batch)
{
	sqlite3_stmt *row = store->statements[QUERY_NEXT];
	(void)sqlite3_bind_int64(row, 1, write_id(epoch->place, epoch->confirmed));
	(void)sqlite3_bind_int64(row, 2, write_id(epoch->place, SEQUENCE_MASK));
	(void)sqlite3_bind_int64(row, 3, (int64_t)most);
	int r = 0, code = SQLITE_DONE;
	while (r == 0 && batch->used < BATCH_BYTES && (code = sqlite3_step(row)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(row, 0);
		const void *blob = sqlite3_column_blob(row, 1);
		r = batch_add(
			batch, id, id & SEQUENCE_MASK, blob, (size_t)sqlite3_column_bytes(row, 1));
	}
	if (r == 0)
		r = database_result(&store->database, code, "cannot read the outbox");
	(void)sqlite3_reset(row);
	batch_finish(batch);
	return r;
}

static int sync_appended(struct store *store)
{
	if (!store->unsynced)
		return 0;
	int r = database_set_sync(&store->database, true);
	if (r == 0)
		r = run(store, QUERY_SYNC, 0, NULL);
	int back = database_set_sync(&store->database, false);
	if (r == 0)
		r = back;
	store->unsynced = r != 0;
	return r;
}

int store_next(struct store *store, size_t most, struct batch *batch, struct store_epoch *ret_epoch)
{
	batch_clear(batch);
	pthread_mutex_lock(&store->mutex);
	int r = 0;
	for (size_t i = 0; r == 0 && store->pending && !batch->count && i < store->n_epochs; i++) {
		*ret_epoch = store->epochs[i].seen;
		if (ret_epoch->assigned > ret_epoch->confirmed)
			r = read_batch(store, ret_epoch, most, batch);
	}
	if (r == 0 && batch->count)
		r = sync_appended(store);
	pthread_mutex_unlock(&store->mutex);
	return r;
}

static struct epoch *find_epoch(struct store *store, const struct store_epoch *wanted)
{
	for (size_t i = 0; i < store->n_epochs; i++)
		if (store->epochs[i].seen.place == wanted->place)
			return &store->epochs[i];
	return NULL;
}

/* Moves an epoch's confirmed sequence up or down. */
static int set_confirmed(struct store *store, struct epoch *epoch, int64_t sequence)
{
	int64_t before = epoch->seen.confirmed, count, bytes;
	bool up = sequence > before;
	int r = sum(store, epoch->seen.place, up ? before : sequence, up ? sequence : before,
		&count, &bytes);
	if (r == 0)
		r = begin_marks(store);
	if (r != 0)
		return r;
	const int64_t mark[] = { epoch->seen.place, sequence, wall_clock() };
	if (!up)
		r = run(store, QUERY_UNCONFIRM, 2, mark);
	if (r == 0)
		r = run(store, QUERY_CONFIRM, 3, mark);
	r = end_marks(store, r);
	if (r != 0)
		return r;
	epoch->seen.confirmed = sequence;
	store->oldest = -1;
	store->pending -= up ? count : -count;
	store->handled += up ? count : -count;
	store->pending_bytes -= up ? bytes : -bytes;
	return 0;
}

int store_confirm(struct store *store, const struct store_epoch *wanted, int64_t sequence)
{
	pthread_mutex_lock(&store->mutex);
	struct epoch *epoch = find_epoch(store, wanted);
	int r = epoch && sequence > epoch->seen.confirmed ? set_confirmed(store, epoch, sequence)
							  : 0;
	if (r == 0 && store->keep < 0)
		while ((r = prune_batch(store, INT64_MAX)) == 1)
			;
	pthread_mutex_unlock(&store->mutex);
	return r;
}

/* How many writes above `applied` are lost for good: pruned, and not because they were rejected. */
static int count_gap(
	struct store *store, const struct epoch *epoch, int64_t applied, int64_t *ret_gap)
{
	*ret_gap = 0;
	if (epoch->pruned <= applied)
		return 0;
	const int64_t range[] = { write_id(epoch->seen.place, applied),
		write_id(epoch->seen.place, epoch->pruned) };
	int64_t rejected;
	int r = read_row(store, QUERY_COUNT_REJECTED, 2, range, &rejected, NULL);
	if (r != 1)
		return r;
	*ret_gap = epoch->pruned - applied - rejected;
	return 0;
}

static int compare(struct store *store, struct epoch *epoch, int64_t applied,
	struct store_comparison *ret_comparison)
{
	struct store_comparison comparison = { 0 };
	int64_t pending = store->pending;
	int r = 0;
	if (applied < epoch->seen.confirmed)
		r = count_gap(store, epoch, applied, &comparison.gap);
	if (r == 0)
		r = set_confirmed(store, epoch, applied);
	if (r != 0)
		return r;
	if (store->pending < pending)
		comparison.confirmed = pending - store->pending;
	else
		comparison.resent = store->pending - pending;
	*ret_comparison = comparison;
	return 0;
}

int store_compare(struct store *store, const struct store_epoch *wanted, int64_t applied,
	struct store_comparison *ret_comparison)
{
	*ret_comparison = (struct store_comparison){ 0 };
	pthread_mutex_lock(&store->mutex);
	struct epoch *epoch = find_epoch(store, wanted);
	int r = 0;
	if (epoch && applied > epoch->seen.assigned)
		r = outbox_fail(DBOUTBOX_DIVERGED,
			"the server applied %" PRId64 " writes of epoch %" PRId64
			" of outbox %s, and the file has %" PRId64
			": it was replaced by an older copy, or a copy of it is in use",
			applied, epoch->seen.epoch, store->id, epoch->seen.assigned);
	else if (epoch && applied != epoch->seen.confirmed)
		r = compare(store, epoch, applied, ret_comparison);
	pthread_mutex_unlock(&store->mutex);
	return r;
}

int store_epochs(struct store *store, struct store_epoch **ret_epochs, size_t *ret_count)
{
	pthread_mutex_lock(&store->mutex);
	struct store_epoch *epochs = calloc(store->n_epochs, sizeof(*epochs));
	size_t count = 0;
	for (size_t i = 0; epochs && i < store->n_epochs; i++)
		if (store->epochs[i].seen.assigned > 0)
			epochs[count++] = store->epochs[i].seen;
	pthread_mutex_unlock(&store->mutex);
	if (!epochs)
		return outbox_fail(-ENOMEM, "out of memory");
	*ret_epochs = epochs;
	*ret_count = count;
	return 0;
}

static int reject(struct store *store, int64_t id, const struct store_rejection *rejection)
{
	int64_t count, bytes;
	int64_t place = id >> SEQUENCE_BITS, sequence = id & SEQUENCE_MASK;
	int r = sum(store, place, sequence - 1, sequence, &count, &bytes);
	if (r != 0 || count == 0)
		return r;
	/* A power loss must not take this: the server would not tell it again. */
	r = store->full ? 0 : database_set_sync(&store->database, true);
	if (r == 0)
		r = database_begin(&store->database);
	if (r != 0)
		return r;
	sqlite3_stmt *statement = store->statements[QUERY_REJECT];
	(void)sqlite3_bind_text(statement, 3, rejection->sqlstate, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 4, rejection->message, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 5, rejection->sql, -1, SQLITE_STATIC);
	const int64_t numbers[] = { id, wall_clock() };
	r = run(store, QUERY_REJECT, 2, numbers);
	(void)sqlite3_clear_bindings(statement);
	if (r == 0)
		r = run(store, QUERY_DELETE, 1, &id);
	if (r == 0)
		r = database_commit(&store->database);
	else
		database_roll_back(&store->database);
	if (!store->full) {
		int back = database_set_sync(&store->database, false);
		r = r == 0 ? back : r;
	}
	if (r != 0)
		return r;
	store->oldest = -1;
	store->all--;
	store->all_bytes -= bytes;
	store->pending--;
	store->pending_bytes -= bytes;
	store->rejected++;
	store->handled++;
	return 0;
}

int store_reject(struct store *store, int64_t id, const struct store_rejection *rejection)
{
	pthread_mutex_lock(&store->mutex);
	int r = reject(store, id, rejection);
	pthread_mutex_unlock(&store->mutex);
	return r;
}

static int64_t find_oldest(struct store *store)
{
	int64_t oldest;
	for (size_t i = 0; store->pending && i < store->n_epochs; i++) {
		const struct store_epoch *epoch = &store->epochs[i].seen;
		const int64_t range[] = { write_id(epoch->place, epoch->confirmed),
			write_id(epoch->place, SEQUENCE_MASK) };
		if (read_row(store, QUERY_OLDEST, 2, range, &oldest, NULL) == 1)
			return oldest;
	}
	return 0;
}

void store_counts(struct store *store, struct store_counts *ret_counts)
{
	pthread_mutex_lock(&store->mutex);
	if (store->oldest < 0)
		store->oldest = find_oldest(store);
	*ret_counts = (struct store_counts){
		.pending = store->pending,
		.pending_bytes = store->pending_bytes,
		.kept = store->all - store->pending,
		.rejected = store->rejected,
		.handled = store->handled,
		.oldest = store->oldest,
	};
	pthread_mutex_unlock(&store->mutex);
}
