/* Finds out whether the application's writes were committed: the transactions that were open when
 * it had to end.
 *
 * A session may have several transactions, one after the other: each is remembered. The last may be
 * the server's own, which drops the temporary tables of an ended session. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "session/cell.h"
#include "watch/watch_parts.h"

/* Transaction ids in pg_stat_activity have 32 bits; the epoch is taken from the current snapshot.
 * An id may be slightly newer than that snapshot, because the table is read after it. */
static const char writes_sql[] =
	"SELECT a.pid, a.backend_start, x.now OPERATOR(pg_catalog.-)"
	" ((((x.now OPERATOR(pg_catalog.-) a.backend_xid::pg_catalog.text::pg_catalog.int8)"
	"  OPERATOR(pg_catalog.+) 2147483648::pg_catalog.int8)"
	"  OPERATOR(pg_catalog.&) 4294967295::pg_catalog.int8)"
	"  OPERATOR(pg_catalog.-) 2147483648::pg_catalog.int8)"
	" FROM pg_catalog.pg_stat_activity a, (SELECT"
	"  pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS now) x"
	" WHERE a.backend_xid IS NOT NULL"
	" AND a.pid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int4[])";

static const char outcomes_sql[] =
	"SELECT x.id, pg_catalog.txid_status(x.id) OPERATOR(pg_catalog.=) 'committed',"
	" pg_catalog.txid_status(x.id) OPERATOR(pg_catalog.=) 'aborted'"
	" FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS x(id)";

static void add_write(struct watch *watch, struct shutdown_connection *connection, int64_t txid)
{
	if (!watch->writes_arena) {
		watch->writes_arena = arena_new();
		watch->writes_by_txid = map_new(watch->writes_arena, 0);
	}
	if (map_get(watch->writes_by_txid, (uint64_t)txid) != MAP_NONE)
		return;
	map_set(watch->writes_by_txid, (uint64_t)txid, (uint32_t)watch->n_writes);
	watch->writes = mem_grow(
		watch->writes, watch->n_writes, &watch->writes_room, sizeof(*watch->writes));
	watch->writes[watch->n_writes++] = (struct watch_write){
		.pid = connection->backend,
		.start = connection->backend_start,
		.txid = txid,
	};
	connection->outcome = OUTCOME_UNKNOWN;
}

static void on_writes(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct watch *watch = data;
	watch->waiting--;
	for (int row = 0; cell_has_rows(result, 3) && row < PQntuples(result); row++) {
		struct shutdown_connection *connection = watch_find_session(
			watch, cell_int(result, row, 0, 0), cell_instant(result, row, 1));
		int64_t txid = cell_number(result, row, 2);
		/* a single invalid number would make the whole statement fail */
		if (connection && txid > 0)
			add_write(watch, connection, txid);
	}
	watch_baseline_taken(watch);
}

/* Builds a PostgreSQL array, item by item. */
struct numbers {
	FILE *file;
	char *text; /* the finished text; the caller frees it */
	size_t size;
	int count;
};

static void numbers_begin(struct numbers *numbers)
{
	*numbers = (struct numbers){ 0 };
	numbers->file = open_memstream(&numbers->text, &numbers->size);
	if (!numbers->file)
		abort();
	putc('{', numbers->file);
}

static void numbers_add(struct numbers *numbers, int64_t number)
{
	fprintf(numbers->file, "%s%" PRId64, numbers->count++ ? "," : "", number);
}

static void numbers_end(struct numbers *numbers)
{
	putc('}', numbers->file);
	if (fclose(numbers->file) != 0)
		abort();
}

/* Asks about these transactions, if there are any. */
static void ask(
	struct watch *watch, const char *sql, struct numbers *numbers, session_done_fn *done)
{
	numbers_end(numbers);
	if (numbers->count)
		watch_ask_about(watch, sql, numbers->text, done);
	free(numbers->text);
}

void watch_note_writes(struct watch *watch)
{
	struct numbers sessions;
	numbers_begin(&sessions);
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		const struct shutdown_connection *connection = &watch->record.connections[i];
		if (connection->backend && !shutdown_connection_is_over(connection))
			numbers_add(&sessions, connection->backend);
	}
	ask(watch, writes_sql, &sessions, on_writes);
}

/* A transaction that was rolled back counts, whatever the later ones did. */
static void note_outcome(struct watch *watch, int64_t txid, enum write_outcome outcome)
{
	uint32_t i =
		watch->writes_by_txid ? map_get(watch->writes_by_txid, (uint64_t)txid) : MAP_NONE;
	if (i == MAP_NONE)
		return;
	struct shutdown_connection *connection =
		watch_find_session(watch, watch->writes[i].pid, watch->writes[i].start);
	if (connection && outcome > connection->outcome)
		connection->outcome = outcome;
}

static void on_outcomes(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct watch *watch = data;
	watch->waiting--;
	for (int row = 0; cell_has_rows(result, 3) && row < PQntuples(result); row++)
		note_outcome(watch, cell_number(result, row, 0),
			cell_is_true(result, row, 1)           ? OUTCOME_COMMITTED
				: cell_is_true(result, row, 2) ? OUTCOME_ROLLED_BACK
							       : OUTCOME_UNKNOWN);
	watch_complete_when_answered(watch);
}

void watch_ask_outcomes(struct watch *watch)
{
	struct numbers writes;
	numbers_begin(&writes);
	for (size_t i = 0; i < watch->n_writes; i++)
		numbers_add(&writes, watch->writes[i].txid);
	ask(watch, outcomes_sql, &writes, on_outcomes);
}

void watch_forget_writes(struct watch *watch)
{
	free(watch->writes);
	arena_free(watch->writes_arena);
	watch->writes = NULL;
	watch->writes_arena = NULL;
	watch->writes_by_txid = NULL;
	watch->n_writes = watch->writes_room = 0;
}
