/* What is sent, confirmed and rejected: the other half of store.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "outbox/batch.h"
#include "outbox/dboutbox.h"
#include "outbox/error.h"
#include "outbox/store.h"
#include "outbox/store_prune.h"
#include "outbox/store_state.h"

#define BATCH_BYTES (1 << 20)

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
	int r = database_settle(&store->database, true);
	if (r == 0)
		r = store_run(store, QUERY_SYNC, 0, NULL);
	store->unsynced = r != 0;
	return r;
}

int store_next(struct store *store, size_t most, struct batch *batch, struct store_epoch *ret_epoch)
{
	batch_clear(batch);
	int r = store_enter(store);
	for (size_t i = 0; r == 0 && store->pending && !batch->count && i < store->n_epochs; i++) {
		*ret_epoch = store->epochs[i].seen;
		if (ret_epoch->assigned > ret_epoch->confirmed)
			r = read_batch(store, ret_epoch, most, batch);
	}
	if (r == 0 && batch->count)
		r = sync_appended(store);
	store_leave(store);
	return r;
}

int store_read_ahead(struct store *store, const struct store_epoch *epoch, int64_t sequence,
	size_t most, struct batch *batch)
{
	struct store_epoch from = *epoch;
	from.confirmed = sequence;
	batch_clear(batch);
	int r = store_enter(store);
	if (r == 0)
		r = read_batch(store, &from, most, batch);
	if (r == 0 && batch->count)
		r = sync_appended(store);
	store_leave(store);
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
	int r = store_sum(store, epoch->seen.place, up ? before : sequence, up ? sequence : before,
		&count, &bytes);
	if (r == 0)
		r = store_begin_marks(store);
	if (r != 0)
		return r;
	const int64_t mark[] = { epoch->seen.place, sequence, store_wall_clock() };
	if (!up)
		r = store_run(store, QUERY_UNCONFIRM, 2, mark);
	if (r == 0)
		r = store_run(store, QUERY_CONFIRM, 3, mark);
	r = store_end_marks(store, r);
	if (r != 0)
		return r;
	epoch->seen.confirmed = sequence;
	store->oldest = -1;
	store->pending -= up ? count : -count;
	store->handled += up ? count : -count;
	store->sent += up ? count : 0;
	store->pending_bytes -= up ? bytes : -bytes;
	return 0;
}

int store_confirm(struct store *store, const struct store_epoch *wanted, int64_t sequence)
{
	int r = store_enter(store);
	struct epoch *epoch = find_epoch(store, wanted);
	if (r == 0 && epoch && sequence > epoch->seen.confirmed)
		r = set_confirmed(store, epoch, sequence);
	if (r == 0 && store->keep < 0)
		while ((r = store_prune_batch(store, INT64_MAX)) == 1)
			;
	store_leave(store);
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
	int r = store_read_row(store, QUERY_COUNT_REJECTED, 2, range, &rejected, NULL);
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
	int r = store_enter(store);
	struct epoch *epoch = find_epoch(store, wanted);
	if (r == 0 && epoch && applied > epoch->seen.assigned)
		r = outbox_fail(DBOUTBOX_DIVERGED,
			"the server applied %" PRId64 " writes of epoch %" PRId64
			" of outbox %s, and the file has %" PRId64
			": it was replaced by an older copy, or a copy of it is in use",
			applied, epoch->seen.epoch, store->id, epoch->seen.assigned);
	else if (r == 0 && epoch && applied != epoch->seen.confirmed)
		r = compare(store, epoch, applied, ret_comparison);
	store_leave(store);
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
	int r = store_sum(store, place, sequence - 1, sequence, &count, &bytes);
	if (r != 0 || count == 0)
		return r;
	/* A power loss must not undo this: the server would not report it again. */
	r = database_begin(&store->database, true);
	if (r != 0)
		return r;
	sqlite3_stmt *statement = store->statements[QUERY_REJECT];
	(void)sqlite3_bind_text(statement, 3, rejection->sqlstate, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 4, rejection->message, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 5, rejection->sql, -1, SQLITE_STATIC);
	const int64_t numbers[] = { id, store_wall_clock() };
	r = store_run(store, QUERY_REJECT, 2, numbers);
	(void)sqlite3_clear_bindings(statement);
	if (r == 0)
		r = store_run(store, QUERY_DELETE, 1, &id);
	if (r == 0)
		r = database_commit(&store->database);
	else
		database_roll_back(&store->database);
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
	int r = store_enter(store);
	if (r == 0)
		r = reject(store, id, rejection);
	store_leave(store);
	return r;
}
