#include "outbox/store_state.h"

#include <time.h>

#define USEC_PER_SEC INT64_C(1000000)

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

int store_prepare(struct store *store)
{
	int r = 0;
	for (int i = 0; r == 0 && i < QUERIES; i++)
		r = database_prepare(&store->database, queries[i], &store->statements[i]);
	return r;
}

int64_t store_wall_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

int store_run(struct store *store, enum query query, int n, const int64_t *numbers)
{
	return database_run(&store->database, store->statements[query], n, numbers);
}

int store_read_row(struct store *store, enum query query, int n, const int64_t *numbers,
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

int store_sum(struct store *store, int64_t place, int64_t from, int64_t to, int64_t *ret_count,
	int64_t *ret_bytes)
{
	const int64_t range[] = { write_id(place, from), write_id(place, to) };
	int r = store_read_row(store, QUERY_SUM, 2, range, ret_count, ret_bytes);
	return r == 1 ? 0 : r;
}

int store_enter(struct store *store)
{
	pthread_mutex_lock(&store->mutex);
	return database_settle(&store->database, store->full);
}

void store_leave(struct store *store)
{
	pthread_mutex_unlock(&store->mutex);
}

int store_begin_marks(struct store *store)
{
	return database_begin(&store->database, false);
}

int store_end_marks(struct store *store, int r)
{
	if (r == 0)
		return database_commit(&store->database);
	database_roll_back(&store->database);
	return r;
}
