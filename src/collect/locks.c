/* Reads pg_locks in binary. */
#include "collect/locks.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/lock.h"
#include "session/cell.h"
#include "session/session.h"

#define MOST_ROWS   500
#define MOST_ROWS_1 "501" /* one row beyond the limit shows that there are more */

/* The pause between two questions: one second, or twenty times what the last one took, if that is
 * longer. */
#define REFRESH_EVERY USEC_PER_SEC
#define REFRESH_SHARE 20

enum lock_column {
	COLUMN_PID,
	COLUMN_GRANTED,
	COLUMN_TYPE,
	COLUMN_MODE,
	COLUMN_OBJECT,
	COLUMN_SINCE,
	COLUMN_BLOCKERS,
	COLUMN_COUNT,
};

/* waitstart exists since version 14; read through JSON it is NULL in a version without it. A
 * relation of another database has no name here. */
static const char sql[] =
	"WITH l AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks WHERE pid IS NOT NULL"
	"  AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()),"
	" w AS MATERIALIZED (SELECT d.pid, pg_catalog.pg_blocking_pids(d.pid) AS blockers FROM"
	"  (SELECT DISTINCT l.pid FROM l WHERE NOT l.granted LIMIT 100) d)"
	" SELECT l.pid, l.granted, l.locktype, l.mode,"
	"  CASE WHEN l.locktype OPERATOR(pg_catalog.=)"
	"    ANY (ARRAY['relation', 'extend', 'page', 'tuple']) THEN pg_catalog.concat("
	"    CASE WHEN c.relname IS NULL THEN pg_catalog.concat('relation ', l.relation)"
	"     WHEN n.nspname OPERATOR(pg_catalog.=) 'public' THEN c.relname::pg_catalog.text"
	"     ELSE pg_catalog.concat(n.nspname, '.', c.relname) END,"
	"    CASE WHEN l.tuple IS NOT NULL THEN"
	"      pg_catalog.concat(', row (', l.page, ',', l.tuple, ')')"
	"     WHEN l.page IS NOT NULL THEN pg_catalog.concat(', page ', l.page) END)"
	"   WHEN l.locktype OPERATOR(pg_catalog.=) 'transactionid' THEN"
	"    pg_catalog.concat('transaction ', l.transactionid)"
	"   WHEN l.locktype OPERATOR(pg_catalog.=) 'virtualxid' THEN"
	"    pg_catalog.concat('transaction ', l.virtualxid)"
	"   WHEN l.locktype OPERATOR(pg_catalog.=) 'advisory' THEN"
	"    pg_catalog.concat('advisory key ',"
	"     CASE WHEN l.objsubid OPERATOR(pg_catalog.=) 1::pg_catalog.int2 THEN ("
	"       (l.classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32::pg_catalog.int4)"
	"       OPERATOR(pg_catalog.|) l.objid::pg_catalog.int8)::pg_catalog.text"
	"      ELSE pg_catalog.concat(l.classid, ', ', l.objid) END)"
	"   ELSE l.locktype END,"
	"  CASE WHEN NOT l.granted THEN (pg_catalog.to_jsonb(l)"
	"   OPERATOR(pg_catalog.->>) 'waitstart'::pg_catalog.text)::pg_catalog.timestamptz END,"
	"  CASE WHEN NOT l.granted THEN"
	"   pg_catalog.array_to_string(w.blockers, ' '::pg_catalog.text) END"
	" FROM l LEFT JOIN w ON w.pid OPERATOR(pg_catalog.=) l.pid"
	" LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) l.relation"
	"  AND (l.database OPERATOR(pg_catalog.=) 0::pg_catalog.oid"
	"   OR l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d"
	"    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))"
	" LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
	" WHERE NOT l.granted OR l.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4"
	"  OR l.pid OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.unnest(w.blockers) FROM w)"
	" ORDER BY l.granted, l.locktype OPERATOR(pg_catalog.=) 'virtualxid', l.pid"
	" LIMIT " MOST_ROWS_1;

/* A transaction around the statement limits its timeout, which is shorter than that of other
 * statements: the setting ends with the transaction, whatever happens. */
static const char begin_sql[] = "BEGIN";
static const char short_timeout_sql[] = "SET LOCAL statement_timeout = '500ms'";
static const char end_sql[] = "COMMIT";

struct locks {
	struct session *session;
	struct locks_options options;
	struct lock_table *latest;
	bool waiting;       /* an answer is awaited */
	bool wanted;        /* a screen shows locks */
	int32_t subject;    /* of the last statement */
	int64_t sent_at;    /* monotonic: when the last statement was sent */
	int64_t not_before; /* monotonic */
};

static const char *text_of(
	struct arena *arena, const PGresult *result, int row, enum lock_column column)
{
	const char *text = cell_text(arena, result, row, (int)column, TEXT_LINE);
	return text ? text : "?";
}

/* For example "9912 9912 9801": a parallel query's pid is listed once for each of its workers. */
static void read_blockers(struct arena *arena, const char *text, struct lock *lock)
{
	int32_t *blockers = arena_array(arena, strlen(text) / 2 + 1, sizeof(*blockers));
	char *end;
	for (; *text; text = end + strspn(end, " ")) {
		long pid = strtol(text, &end, 10);
		if (end == text)
			break;
		bool known = false;
		for (size_t i = 0; i < lock->n_blockers; i++)
			known |= blockers[i] == (int32_t)pid;
		if (!known)
			blockers[lock->n_blockers++] = (int32_t)pid;
	}
	lock->blockers = blockers;
}

static struct lock read_lock(struct arena *arena, const PGresult *result, int row)
{
	struct lock lock = {
		.pid = cell_int(result, row, COLUMN_PID, 0),
		.granted = cell_is_true(result, row, COLUMN_GRANTED),
		.type = text_of(arena, result, row, COLUMN_TYPE),
		.mode = text_of(arena, result, row, COLUMN_MODE),
		.object = text_of(arena, result, row, COLUMN_OBJECT),
		.since = cell_instant(result, row, COLUMN_SINCE),
	};
	if (!PQgetisnull(result, row, COLUMN_BLOCKERS))
		read_blockers(arena, PQgetvalue(result, row, COLUMN_BLOCKERS), &lock);
	return lock;
}

static void read_table(struct lock_table *table, const PGresult *result)
{
	int rows = PQntuples(result);
	table->cut = rows > MOST_ROWS;
	if (table->cut)
		rows = MOST_ROWS;
	table->items = arena_array(table->arena, (size_t)rows, sizeof(*table->items));
	for (int row = 0; row < rows; row++)
		table->items[table->count++] = read_lock(table->arena, result, row);
}

static const char *error_of(struct arena *arena, const PGresult *result)
{
	if (!result)
		return "the connection was lost";
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		const char *message = PQresultErrorMessage(result);
		return text_clean(arena, message, strcspn(message, "\n"), TEXT_LINE);
	}
	return PQnfields(result) == COLUMN_COUNT ? NULL : "this is not PostgreSQL's pg_locks";
}

static struct lock_table *new_table(const struct locks *locks, int64_t asked_at)
{
	struct lock_table *table = lock_table_new();
	table->asked_at = asked_at;
	table->taken_at = instant_now();
	table->subject = locks->subject;
	return table;
}

static void publish(struct locks *locks, struct lock_table *table)
{
	lock_table_unref(locks->latest);
	locks->latest = table;
	locks->options.published(locks->options.data);
}

static void on_answer(void *data, const PGresult *result, int64_t sent_at)
{
	struct locks *locks = data;
	int64_t now = instant_monotonic();
	int64_t pause = (now - locks->sent_at) * REFRESH_SHARE;
	locks->waiting = false;
	locks->not_before = now + (pause > REFRESH_EVERY ? pause : REFRESH_EVERY);
	if (!locks->wanted)
		return;
	struct lock_table *table = new_table(locks, sent_at);
	table->error = error_of(table->arena, result);
	if (!table->error)
		read_table(table, result);
	publish(locks, table);
}

void locks_check(struct locks *locks, int64_t timeout)
{
	bool answered = locks->latest && locks->latest->subject == locks->subject;
	if (!locks->waiting || !locks->wanted || answered ||
		instant_monotonic() - locks->sent_at <= timeout)
		return;
	struct lock_table *table = new_table(locks, INSTANT_UNKNOWN);
	table->error = "no answer from the server";
	publish(locks, table);
}

struct locks *locks_new(struct session *session, const struct locks_options *options)
{
	struct locks *locks = mem_alloc(sizeof(*locks));
	locks->session = session;
	locks->options = *options;
	return locks;
}

void locks_free(struct locks *locks)
{
	if (!locks)
		return;
	session_forget(locks->session, locks);
	lock_table_unref(locks->latest);
	free(locks);
}

static bool ask_for_effect(struct locks *locks, const char *text)
{
	const struct session_statement statement = { .sql = text };
	return session_query(locks->session, &statement, NULL, locks);
}

/* Behind a pooler a transaction is not reliable, and a setting would affect another client: the
 * statement is sent alone, with the server's own timeout. False if it could not be sent. */
static bool ask(struct locks *locks)
{
	char subject[16];
	const char *const params[] = { subject };
	const struct session_statement statement = { .sql = sql, .n_params = 1, .params = params };
	bool own = !session_is_pooled(locks->session);
	snprintf(subject, sizeof(subject), "%d", locks->subject);
	if (own && (!ask_for_effect(locks, begin_sql) || !ask_for_effect(locks, short_timeout_sql)))
		return false;
	if (!session_query(locks->session, &statement, on_answer, locks))
		return false;
	/* if the connection is lost now, its transaction ends, too */
	if (own)
		(void)!ask_for_effect(locks, end_sql);
	return true;
}

void locks_refresh(struct locks *locks, int32_t subject)
{
	int64_t now = instant_monotonic();
	locks->wanted = true;
	if (locks->waiting || (locks->subject == subject && now < locks->not_before))
		return;
	/* set before sending: an error while sending runs the callback at once */
	locks->waiting = true;
	locks->subject = subject;
	locks->sent_at = now;
	if (!ask(locks))
		locks->waiting = false;
}

void locks_forget(struct locks *locks)
{
	locks->wanted = false;
	lock_table_unref(locks->latest);
	locks->latest = NULL;
	locks->not_before = 0;
}

const struct lock_table *locks_latest(const struct locks *locks)
{
	return locks->latest;
}
