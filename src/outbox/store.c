/* The queue in memory and in the file: opening, writing, counting. store_sending.c sends and
 * confirms. layout.c describes the tables. */
#include "outbox/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "outbox/dboutbox.h"
#include "outbox/error.h"
#include "outbox/store_prune.h"
#include "outbox/store_state.h"

/* How long an epoch is remembered where sent writes are not kept. */
#define FORGET_AFTER INT64_C(3600000000) /* µs */

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
		int r = store_sum(store, epoch->place, 0, epoch->confirmed, &kept, &kept_bytes);
		if (r == 0)
			r = store_sum(store, epoch->place, epoch->confirmed, SEQUENCE_MASK,
				&pending, &bytes);
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

static int open_file(struct store *store, const char *path)
{
	int64_t keep = store->keep < 0 ? FORGET_AFTER : store->keep;
	int r = database_open(path, &store->database);
	if (r == 0)
		r = layout_open(&store->database, path, store_wall_clock() - keep, store->id);
	if (r == 0)
		r = store_prepare(store);
	if (r == 0)
		r = load_epochs(store);
	if (r == 0)
		r = load_counts(store);
	return r;
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

int store_prune(struct store *store)
{
	int64_t now = store_wall_clock();
	int r = store_enter(store);
	if (r == 0)
		r = store_prune_batch(store, store->keep < 0 ? now : now - store->keep);
	store_leave(store);
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
		int r = store_prune_batch(store, INT64_MAX);
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
	const int64_t numbers[] = { write_id(epoch->place, sequence), store_wall_clock() };
	r = store_run(store, QUERY_APPEND, 2, numbers);
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
	int r = store_enter(store);
	if (r == 0)
		r = append(store, blob, size);
	store_leave(store);
	return r;
}

/* --- counting --- */

static int64_t find_oldest(struct store *store)
{
	int64_t oldest;
	for (size_t i = 0; store->pending && i < store->n_epochs; i++) {
		const struct store_epoch *epoch = &store->epochs[i].seen;
		const int64_t range[] = { write_id(epoch->place, epoch->confirmed),
			write_id(epoch->place, SEQUENCE_MASK) };
		if (store_read_row(store, QUERY_OLDEST, 2, range, &oldest, NULL) == 1)
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
		.sent = store->sent,
		.oldest = store->oldest,
	};
	pthread_mutex_unlock(&store->mutex);
}
