#include "watch/server_queries.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyze/close_evidence.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "session/cell.h"
#include "session/session.h"

static const char counts_sql[] =
	"SELECT coalesce(pg_catalog.sum(sessions) FILTER (WHERE ours), 0)::pg_catalog.int8,"
	" coalesce(pg_catalog.sum(sessions_abandoned) FILTER (WHERE ours), 0)::pg_catalog.int8,"
	" pg_catalog.pg_stat_get_snapshot_timestamp(), pg_catalog.clock_timestamp(),"
	" coalesce(pg_catalog.sum(sessions), 0)::pg_catalog.int8"
	" FROM (SELECT sessions, sessions_abandoned,"
	"  datname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[]) AS ours"
	"  FROM pg_catalog.pg_stat_database) AS counts";

static const char start_sql[] = "SELECT coalesce(pg_catalog.sum(sessions), 0)::pg_catalog.int8,"
				" pg_catalog.clock_timestamp() FROM pg_catalog.pg_stat_database";

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

/* Before PostgreSQL 15, the statistics collector writes the counts to a file, at most twice a
 * second. What a session reported reaches the collector within this time. */
#define REPORT_TAKES (100 * USEC_PER_MSEC)
#define AGAIN_MS     50

/* A transaction that has written, and its session. */
struct write {
	int32_t backend;
	int64_t backend_start;
	int64_t txid; /* including the epoch */
};

struct server_queries {
	struct session *session;
	struct server_queries_callbacks callbacks;
	int awaited;
	uv_timer_t *timer; /* asks for the counts again */
	const struct shutdown_record *record;
	int64_t counts_since; /* the server's clock: counts of an earlier moment are too old */
	struct write *writes;
	size_t n_writes, room;
	struct arena *arena;
	struct map *by_txid; /* indexes of the writes */
};

struct server_queries *server_queries_new(
	uv_loop_t *loop, struct session *session, const struct server_queries_callbacks *callbacks)
{
	struct server_queries *queries = mem_alloc(sizeof(*queries));
	queries->session = session;
	queries->callbacks = *callbacks;
	queries->timer = handle_new_timer(loop, queries);
	queries->arena = arena_new();
	queries->by_txid = map_new(queries->arena, 0);
	return queries;
}

void server_queries_free(struct server_queries *queries)
{
	if (!queries)
		return;
	session_forget(queries->session, queries);
	handle_close(queries->timer);
	free(queries->writes);
	arena_free(queries->arena);
	free(queries);
}

bool server_queries_are_awaited(const struct server_queries *queries)
{
	return queries->awaited > 0;
}

void server_queries_give_up(struct server_queries *queries)
{
	session_forget(queries->session, queries);
	uv_timer_stop(queries->timer);
	queries->awaited = 0;
}

/* Builds a PostgreSQL array: {1,2} or {"a","b"}. */
struct array {
	FILE *file;
	char *text; /* the finished array; the caller frees it */
	size_t size;
	int count;
};

static void array_begin(struct array *array)
{
	*array = (struct array){ 0 };
	array->file = open_memstream(&array->text, &array->size);
	if (!array->file)
		abort();
	putc('{', array->file);
}

static void array_add_number(struct array *array, int64_t number)
{
	fprintf(array->file, "%s%" PRId64, array->count++ ? "," : "", number);
}

static void array_add_text(struct array *array, const char *text)
{
	fputs(array->count++ ? ",\"" : "\"", array->file);
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			putc('\\', array->file);
		putc(*c, array->file);
	}
	putc('"', array->file);
}

/* Asks about the items of the array if there are any, and frees it. */
static void ask(
	struct server_queries *queries, const char *sql, struct array *array, session_done_fn *done)
{
	putc('}', array->file);
	if (fclose(array->file) != 0)
		abort();
	const char *params[] = { array->text };
	const struct session_statement statement = { .sql = sql, .n_params = 1, .params = params };
	if (array->count && session_query(queries->session, &statement, done, queries))
		queries->awaited++;
	free(array->text);
}

static void end_answer(struct server_queries *queries)
{
	if (--queries->awaited == 0)
		queries->callbacks.answered(queries->callbacks.data);
}

static void ask_counts(struct server_queries *queries);

static void on_again(uv_timer_t *timer)
{
	struct server_queries *queries = timer->data;
	queries->awaited--;
	ask_counts(queries);
	if (!queries->awaited)
		queries->callbacks.answered(queries->callbacks.data);
}

static void on_counts(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct server_queries *queries = data;
	if (cell_has_rows(result, 5) && PQntuples(result) == 1) {
		int64_t snapshot = cell_instant(result, 0, 2);
		if (queries->counts_since == INSTANT_UNKNOWN)
			queries->counts_since = cell_instant(result, 0, 3) + REPORT_TAKES;
		if (snapshot != INSTANT_UNKNOWN && snapshot < queries->counts_since) {
			/* still awaited */
			uv_timer_start(queries->timer, on_again, AGAIN_MS, 0);
			return;
		}
		queries->callbacks.counted(queries->callbacks.data,
			(struct session_counts){ cell_number(result, 0, 0),
				cell_number(result, 0, 1), cell_number(result, 0, 4) });
	}
	end_answer(queries);
}

static void on_start(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct server_queries *queries = data;
	if (cell_has_rows(result, 2) && PQntuples(result) == 1)
		queries->callbacks.counted_start(queries->callbacks.data, cell_number(result, 0, 0),
			cell_instant(result, 0, 1));
	end_answer(queries);
}

void server_queries_count_start(struct server_queries *queries, int32_t server_version)
{
	const struct session_statement statement = { .sql = start_sql };
	if (server_version >= AT_ONCE_SINCE &&
		session_query(queries->session, &statement, on_start, queries))
		queries->awaited++;
}

static void ask_counts(struct server_queries *queries)
{
	struct array databases;
	array_begin(&databases);
	for (size_t i = 0; i < queries->record->n_databases; i++)
		array_add_text(&databases, queries->record->databases[i]);
	ask(queries, counts_sql, &databases, on_counts);
}

void server_queries_counts(struct server_queries *queries, const struct shutdown_record *record)
{
	queries->record = record;
	queries->counts_since = INSTANT_UNKNOWN;
	if (record->server_version >= COUNTS_SINCE)
		ask_counts(queries);
}

static bool add_write(struct server_queries *queries, const struct write *write)
{
	if (map_get(queries->by_txid, (uint64_t)write->txid) != MAP_NONE)
		return false;
	map_set(queries->by_txid, (uint64_t)write->txid, (uint32_t)queries->n_writes);
	queries->writes = mem_grow(
		queries->writes, queries->n_writes, &queries->room, sizeof(*queries->writes));
	queries->writes[queries->n_writes++] = *write;
	return true;
}

static void on_writes(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct server_queries *queries = data;
	for (int row = 0; cell_has_rows(result, 3) && row < PQntuples(result); row++) {
		const struct write write = {
			.backend = cell_int(result, row, 0, 0),
			.backend_start = cell_instant(result, row, 1),
			.txid = cell_number(result, row, 2),
		};
		/* a single invalid number would make the whole statement fail */
		if (write.txid > 0 && add_write(queries, &write))
			queries->callbacks.wrote(queries->callbacks.data, write.backend,
				write.backend_start, OUTCOME_UNKNOWN);
	}
	end_answer(queries);
}

void server_queries_writes(struct server_queries *queries, const struct shutdown_record *record)
{
	struct array backends;
	array_begin(&backends);
	for (size_t i = 0; i < record->n_connections; i++)
		if (record->connections[i].backend &&
			!shutdown_connection_is_over(&record->connections[i]))
			array_add_number(&backends, record->connections[i].backend);
	ask(queries, writes_sql, &backends, on_writes);
}

static void on_outcomes(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct server_queries *queries = data;
	for (int row = 0; cell_has_rows(result, 3) && row < PQntuples(result); row++) {
		uint32_t i = map_get(queries->by_txid, (uint64_t)cell_number(result, row, 0));
		if (i == MAP_NONE)
			continue;
		enum write_outcome outcome = cell_is_true(result, row, 1) ? OUTCOME_COMMITTED
			: cell_is_true(result, row, 2)                    ? OUTCOME_ROLLED_BACK
									  : OUTCOME_UNKNOWN;
		queries->callbacks.wrote(queries->callbacks.data, queries->writes[i].backend,
			queries->writes[i].backend_start, outcome);
	}
	end_answer(queries);
}

void server_queries_outcomes(struct server_queries *queries)
{
	struct array writes;
	array_begin(&writes);
	for (size_t i = 0; i < queries->n_writes; i++)
		array_add_number(&writes, queries->writes[i].txid);
	ask(queries, outcomes_sql, &writes, on_outcomes);
}
