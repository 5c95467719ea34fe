#include "collect/session_ends.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/encoding.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/session_ends.h"
#include "session/cell.h"
#include "session/session.h"

#define REFRESH_EVERY (10 * USEC_PER_SEC)
#define SINCE_VERSION 140000

enum ends_column {
	COLUMN_DATABASE,
	COLUMN_NAME_ENCODING,
	COLUMN_ABANDONED,
	COLUMN_FATAL,
	COLUMN_KILLED,
	COLUMN_RESET_AT,
	COLUMN_COUNT,
};

/* The row of no database (id 0) counts shared objects. As in backend_rows.c, names are in a known
 * encoding only if all databases have the same. */
static const char sql[] =
	"SELECT s.datname,"
	" (SELECT CASE WHEN pg_catalog.min(encoding)"
	"    OPERATOR(pg_catalog.=) pg_catalog.max(encoding)"
	"   THEN pg_catalog.pg_encoding_to_char(pg_catalog.min(encoding)) END"
	"  FROM pg_catalog.pg_database),"
	" s.sessions_abandoned, s.sessions_fatal, s.sessions_killed, s.stats_reset"
	" FROM pg_catalog.pg_stat_database s WHERE s.datname IS NOT NULL"
	" ORDER BY s.sessions DESC, s.datid LIMIT 100";

struct ends_watch {
	struct session *session;
	struct session_ends *latest;
	bool waiting;       /* an answer is awaited */
	int64_t not_before; /* monotonic */
};

static const char *read_name(struct arena *arena, const PGresult *result, int row)
{
	size_t length = (size_t)PQgetlength(result, row, COLUMN_DATABASE);
	const char *bytes = PQgetvalue(result, row, COLUMN_DATABASE), *text = NULL;
	if (!PQgetisnull(result, row, COLUMN_NAME_ENCODING))
		text = encoding_convert(arena, PQgetvalue(result, row, COLUMN_NAME_ENCODING), bytes,
			strnlen(bytes, length), &length);
	return text_clean(arena, text ? text : bytes, length, TEXT_LINE);
}

static struct session_ends *read_ends(const PGresult *result)
{
	if (!cell_has_rows(result, COLUMN_COUNT))
		return NULL;
	struct session_ends *ends = session_ends_new();
	int rows = PQntuples(result);
	ends->items = arena_array(ends->arena, (size_t)rows, sizeof(*ends->items));
	for (int row = 0; row < rows; row++)
		ends->items[ends->count++] = (struct database_ends){
			.database = read_name(ends->arena, result, row),
			.abandoned = cell_number(result, row, COLUMN_ABANDONED),
			.fatal = cell_number(result, row, COLUMN_FATAL),
			.killed = cell_number(result, row, COLUMN_KILLED),
			.reset_at = cell_instant(result, row, COLUMN_RESET_AT),
		};
	return ends;
}

static void set_latest(struct ends_watch *watch, struct session_ends *ends)
{
	session_ends_unref(watch->latest);
	watch->latest = ends;
}

/* The next assessment shows it: nobody waits for it. */
static void on_answer(void *data, const PGresult *result, int64_t sent_at)
{
	struct ends_watch *watch = data;
	(void)sent_at;
	watch->waiting = false;
	set_latest(watch, read_ends(result));
}

struct ends_watch *ends_watch_new(struct session *session)
{
	struct ends_watch *watch = mem_alloc(sizeof(*watch));
	watch->session = session;
	return watch;
}

void ends_watch_free(struct ends_watch *watch)
{
	if (!watch)
		return;
	session_forget(watch->session, watch);
	session_ends_unref(watch->latest);
	free(watch);
}

void ends_watch_refresh(struct ends_watch *watch)
{
	static const struct session_statement statement = { .sql = sql };
	PGconn *conn = session_connection(watch->session);
	int64_t now = instant_monotonic();
	if (!conn || watch->waiting || now < watch->not_before)
		return;
	watch->not_before = now + REFRESH_EVERY;
	if (PQserverVersion(conn) < SINCE_VERSION) {
		set_latest(watch, NULL);
		return;
	}
	/* set before sending: an error while sending runs the callback at once */
	watch->waiting = true;
	if (!session_query(watch->session, &statement, on_answer, watch))
		watch->waiting = false;
}

const struct session_ends *ends_watch_latest(const struct ends_watch *watch)
{
	return watch->latest;
}
