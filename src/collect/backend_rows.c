/* The statement over pg_stat_activity, and the reader of its rows. The rows are binary, so that
 * timestamps need not be formatted by the server and parsed here. */
#include "collect/backend_rows.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/encoding.h"
#include "base/instant.h"
#include "base/text.h"
#include "model/activity.h"
#include "session/cell.h"

enum backend_column {
	COLUMN_PID,
	COLUMN_BACKEND_START,
	COLUMN_BACKEND_TYPE,
	COLUMN_DATNAME,
	COLUMN_USENAME,
	COLUMN_APPLICATION_NAME,
	COLUMN_CLIENT_ADDR,
	COLUMN_CLIENT_PORT,
	COLUMN_STATE,
	COLUMN_STATE_CHANGE,
	COLUMN_XACT_START,
	COLUMN_QUERY_START,
	COLUMN_WAIT_EVENT_TYPE,
	COLUMN_WAIT_EVENT,
	COLUMN_QUERY,
	COLUMN_ADVISORY_LOCK,
	COLUMN_LOCK_WAITERS,
	COLUMN_XMIN_AGE,
	COLUMN_ENCODING,
	COLUMN_ROLE_LIMIT,
	COLUMN_DATABASE_LIMIT,
	COLUMN_FACTS, /* about the server, only in the row of dbtop's own session */
	COLUMN_COUNT,
};

/* The fields of the facts. */
enum fact {
	FACT_NAME_ENCODING,
	FACT_MAX_CONNECTIONS,
	FACT_RESERVED,
	FACT_STARTED_AT,
	FACT_CLOCK,
	FACT_SUPERUSER,
	FACT_SEES_ALL,
	FACT_SIGNALS,
	FACT_PORT,
	FACT_CHECK_INTERVAL,
	FACT_IDLE_IN_TRANSACTION,
	FACT_IDLE_SESSION,
	FACT_COUNT,
};

/* dbtop's own row carries the facts about the server, as one record: no second statement is needed,
 * and they cost the other rows next to nothing. All columns
 * exist in versions 12 to 18, except reserved_connections (16 and later): current_setting() with
 * missing_ok reads it on any version.
 *
 * A query text comes as the bytes that are stored, cut by bytes: it is in the encoding of its own
 * database, and functions on characters refuse it in ours. The names of roles and databases are in
 * the encoding of the database in which they were given; that is known only if all databases have
 * the same.
 *
 * A superuser's role has no limit. A negative limit of a database is none, or marks it as broken.
 *
 * Processes without a database are PostgreSQL's own and hold no slot, except a client that logs in
 * (shown since version 18) and a walsender. Without privileges the other columns of foreign rows
 * are NULL, so the statement cannot filter on backend_type alone. */
#define QUERY_SQL " pg_catalog.substr(pg_catalog.textsend(a.query), 1, $1::pg_catalog.int4),"

#define NO_QUERY_SQL " CASE WHEN $1::pg_catalog.int4 IS NULL THEN ''::pg_catalog.bytea END,"

#define COLUMNS_SQL                                                                                \
	" SELECT a.pid, a.backend_start, a.backend_type, a.datname, a.usename, "                   \
	" a.application_name,"                                                                     \
	" a.client_addr, a.client_port, a.state, a.state_change, a.xact_start, a.query_start,"     \
	" a.wait_event_type, a.wait_event,"

#define CATALOG_SQL                                                                                \
	" pg_catalog.pg_encoding_to_char(a.encoding),"                                             \
	" CASE WHEN a.rolsuper THEN -1 ELSE a.rolconnlimit END, a.datconnlimit,"

#define NO_CATALOG_SQL " NULL::pg_catalog.name, NULL::pg_catalog.int4, NULL::pg_catalog.int4,"

/* The view pg_stat_activity, with more columns of the tables that it joins. To join them to the
 * view once more would cost the server a third of the statement. */
#define CATALOG_ROWS_SQL                                                                           \
	" FROM (SELECT s.*, s.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AS own,"      \
	"   d.datname, d.encoding, d.datconnlimit,"                                                \
	"   r.rolname AS usename, r.rolsuper, r.rolconnlimit"                                      \
	"  FROM pg_catalog.pg_stat_get_activity(NULL::pg_catalog.int4) s"                          \
	"  LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.usesysid"             \
	"  LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.datid) a"

#define ROWS_SQL                                                                                   \
	" FROM (SELECT *, pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AS own"           \
	"  FROM pg_catalog.pg_stat_activity) a"

#define WHERE_SQL                                                                                  \
	" WHERE a.datid IS NOT NULL"                                                               \
	" OR a.backend_type OPERATOR(pg_catalog.=) ANY (ARRAY['walsender', 'client backend'])"

#define NAME_ENCODING_SQL                                                                          \
	" CASE WHEN own THEN ROW("                                                                 \
	" (SELECT CASE WHEN pg_catalog.min(encoding)"                                              \
	"    OPERATOR(pg_catalog.=) pg_catalog.max(encoding)"                                      \
	"   THEN pg_catalog.pg_encoding_to_char(pg_catalog.min(encoding)) END"                     \
	"  FROM pg_catalog.pg_database),"

#define NO_NAME_ENCODING_SQL " CASE WHEN own THEN ROW(NULL::pg_catalog.name,"

#define FACTS_SQL                                                                                  \
	" pg_catalog.current_setting('max_connections')::pg_catalog.int4,"                         \
	" pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4"           \
	"  OPERATOR(pg_catalog.+)"                                                                 \
	"  coalesce(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int4, "   \
	"   0),"                                                                                   \
	" pg_catalog.pg_postmaster_start_time(),"                                                  \
	" pg_catalog.clock_timestamp(),"                                                           \
	" pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on',"                 \
	" pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),"                                   \
	" pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'),"                                   \
	" pg_catalog.current_setting('port')::pg_catalog.int4,"                                    \
	" pg_catalog.current_setting('client_connection_check_interval', true),"                   \
	" pg_catalog.current_setting('dbtop.idle_in_transaction', true),"                          \
	" pg_catalog.current_setting('idle_session_timeout', true)) END"

/* CURRENT_TIMESTAMP needs no right to call a function. */
#define NO_FACTS_SQL                                                                               \
	" NULL::pg_catalog.int4, NULL::pg_catalog.int4, NULL::pg_catalog.timestamptz,"             \
	" CURRENT_TIMESTAMP,"                                                                      \
	" NULL::pg_catalog.bool, NULL::pg_catalog.bool, NULL::pg_catalog.bool,"                    \
	" NULL::pg_catalog.int4,"                                                                  \
	" NULL::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text) END"

#define NO_LOCKS_SQL " NULL::pg_catalog.bool, NULL::pg_catalog.text, NULL::pg_catalog.int4,"

#define ADVISORY_SQL                                                                               \
	"WITH advisory AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks"                         \
	"  WHERE locktype OPERATOR(pg_catalog.=) 'advisory')"

#define LOCKS_SQL " l.pid IS NOT NULL, l.waiters, pg_catalog.age(a.backend_xmin),"

#define LOCKS_JOIN_SQL                                                                             \
	" LEFT JOIN (SELECT h.pid,"                                                                \
	"   pg_catalog.string_agg(DISTINCT w.pid::pg_catalog.text, ', ') AS waiters"               \
	"  FROM advisory h LEFT JOIN advisory w ON NOT w.granted"                                  \
	"   AND w.database OPERATOR(pg_catalog.=) h.database"                                      \
	"   AND w.classid OPERATOR(pg_catalog.=) h.classid"                                        \
	"   AND w.objid OPERATOR(pg_catalog.=) h.objid"                                            \
	"   AND w.objsubid OPERATOR(pg_catalog.=) h.objsubid"                                      \
	"  WHERE h.granted GROUP BY h.pid) l"                                                      \
	"  ON l.pid OPERATOR(pg_catalog.=) a.pid"

const char *const backend_rows_sql[BACKEND_ROWS_FORMS] = {
	[BACKEND_ROWS_WHOLE] = ADVISORY_SQL COLUMNS_SQL QUERY_SQL LOCKS_SQL CATALOG_SQL
		NAME_ENCODING_SQL FACTS_SQL CATALOG_ROWS_SQL LOCKS_JOIN_SQL WHERE_SQL,
	[BACKEND_ROWS_NO_CATALOG] = ADVISORY_SQL COLUMNS_SQL QUERY_SQL LOCKS_SQL NO_CATALOG_SQL
		NO_NAME_ENCODING_SQL FACTS_SQL ROWS_SQL LOCKS_JOIN_SQL WHERE_SQL,
	[BACKEND_ROWS_NO_LOCKS] = COLUMNS_SQL QUERY_SQL NO_LOCKS_SQL NO_CATALOG_SQL
		NO_NAME_ENCODING_SQL FACTS_SQL ROWS_SQL WHERE_SQL,
	[BACKEND_ROWS_NO_FACTS] = COLUMNS_SQL QUERY_SQL NO_LOCKS_SQL NO_CATALOG_SQL
		NO_NAME_ENCODING_SQL NO_FACTS_SQL ROWS_SQL WHERE_SQL,
	[BACKEND_ROWS_NO_QUERIES] = COLUMNS_SQL NO_QUERY_SQL NO_LOCKS_SQL NO_CATALOG_SQL
		NO_NAME_ENCODING_SQL FACTS_SQL ROWS_SQL WHERE_SQL,
};

const char *const backend_rows_lacks[BACKEND_ROWS_FORMS] = {
	[BACKEND_ROWS_NO_CATALOG] = "limits of roles and databases, and encodings, are not seen",
	[BACKEND_ROWS_NO_LOCKS] = "limits of roles and databases, and advisory locks are not seen",
	[BACKEND_ROWS_NO_FACTS] = "advisory locks and the number of slots are not seen",
	[BACKEND_ROWS_NO_QUERIES] = "statements, listeners and advisory locks are not seen",
};

/* The rows while they are read. */
struct reading {
	struct arena *arena;
	const PGresult *result;
	const struct backend_rows_options *options;
	struct cell facts[FACT_COUNT];
	const char *name_encoding;        /* NULL: not known */
	struct cell before[COLUMN_COUNT]; /* of the last row, where they were compared */
};

/* Neighbours are often alike: a text is read once, and both rows share it. */
static bool is_as_before(struct reading *reading, int row, enum backend_column column)
{
	struct cell cell = cell_get(reading->result, row, (int)column);
	struct cell *before = &reading->before[column];
	bool is_same = row > 0 && cell.length == before->length && !cell.bytes == !before->bytes &&
		(!cell.length || memcmp(cell.bytes, before->bytes, cell.length) == 0);
	*before = cell;
	return is_same;
}

/* A text in this encoding, if texts come as they are stored. */
static const char *read_text(const struct reading *reading, int row, enum backend_column column,
	const char *encoding, enum text_kind kind)
{
	struct cell cell = cell_get(reading->result, row, (int)column);
	if (cell.bytes && encoding && reading->options->stored_bytes) {
		const char *text = encoding_convert(reading->arena, encoding, cell.bytes,
			strnlen(cell.bytes, cell.length), &cell.length);
		cell.bytes = text ? text : cell.bytes;
	}
	return cell_as_text(reading->arena, cell, kind);
}

static const char *read_name(
	struct reading *reading, int row, enum backend_column column, const char *before)
{
	if (is_as_before(reading, row, column))
		return before;
	return read_text(reading, row, column, reading->name_encoding, TEXT_LINE);
}

/* inet's wire form: family (2 is IPv4, 3 IPv6), bits, is_cidr, length, address.
 * src/backend/utils/adt/network.c, network_send(). A client over a Unix socket has no address and
 * port −1; a hidden row has neither. */
static struct endpoint read_client(const PGresult *result, int row)
{
	int32_t port = cell_int(result, row, COLUMN_CLIENT_PORT, 0);
	if (port == -1)
		return (struct endpoint){ .family = AF_UNIX };
	struct cell address = cell_get(result, row, COLUMN_CLIENT_ADDR);
	if (address.length == 8 && address.bytes[0] == 2)
		return endpoint_make(AF_INET, address.bytes + 4, (uint16_t)port);
	if (address.length == 20 && address.bytes[0] == 3)
		return endpoint_make(AF_INET6, address.bytes + 4, (uint16_t)port);
	return (struct endpoint){ .family = AF_UNSPEC };
}

/* The query text of a hidden row is "<insufficient privilege>". */
static void read_query(
	struct reading *reading, int row, const struct backend *before, struct backend *backend)
{
	bool is_same_text = is_as_before(reading, row, COLUMN_QUERY);
	bool is_same = is_as_before(reading, row, COLUMN_ENCODING) && is_same_text;
	if (backend->kind == BACKEND_HIDDEN)
		return;
	if (is_same && before->kind != BACKEND_HIDDEN) {
		backend->query = before->query;
		backend->effects = before->effects;
		return;
	}
	const char *encoding = cell_get(reading->result, row, COLUMN_ENCODING).bytes;
	const char *query = read_text(reading, row, COLUMN_QUERY, encoding, TEXT_BLOCK);
	/* our own row shows this statement, which is long and has none */
	if (PQgetisnull(reading->result, row, COLUMN_FACTS))
		backend->effects = statement_effects(query);
	if (!reading->options->no_query_text)
		backend->query = query;
}

/* `before` is the row before it, or an empty backend. */
static struct backend read_backend(struct reading *reading, int row, const struct backend *before)
{
	const PGresult *result = reading->result;
	struct backend backend = {
		.pid = cell_int(result, row, COLUMN_PID, 0),
		.start = cell_instant(result, row, COLUMN_BACKEND_START),
		.kind = backend_kind_parse(PQgetisnull(result, row, COLUMN_BACKEND_TYPE)
				? NULL
				: PQgetvalue(result, row, COLUMN_BACKEND_TYPE)),
		.state_change = cell_instant(result, row, COLUMN_STATE_CHANGE),
		.xact_start = cell_instant(result, row, COLUMN_XACT_START),
		.query_start = cell_instant(result, row, COLUMN_QUERY_START),
		.database = read_name(reading, row, COLUMN_DATNAME, before->database),
		.user = read_name(reading, row, COLUMN_USENAME, before->user),
		.application_name =
			read_name(reading, row, COLUMN_APPLICATION_NAME, before->application_name),
		.client = read_client(result, row),
		.state_text = read_name(reading, row, COLUMN_STATE, before->state_text),
		.wait_event_type =
			read_name(reading, row, COLUMN_WAIT_EVENT_TYPE, before->wait_event_type),
		.wait_event = read_name(reading, row, COLUMN_WAIT_EVENT, before->wait_event),
		.advisory_lock = cell_is_true(result, row, COLUMN_ADVISORY_LOCK),
		.lock_waiters =
			cell_text(reading->arena, result, row, COLUMN_LOCK_WAITERS, TEXT_LINE),
		.xmin_age = cell_int(result, row, COLUMN_XMIN_AGE, 0),
		.role_limit = cell_int(result, row, COLUMN_ROLE_LIMIT, -1),
		.database_limit = cell_int(result, row, COLUMN_DATABASE_LIMIT, -1),
	};
	backend.state = backend_state_parse(backend.state_text);
	read_query(reading, row, before, &backend);
	return backend;
}

/* Whether the setting is there and switched off. The session's setup (session/dialect.c) keeps the
 * value of idle_in_transaction_session_timeout, which it changes. */
static bool is_off(struct cell setting)
{
	return setting.length == 1 && *setting.bytes == '0';
}

/* Reads the facts from the row that has them, before the other rows. */
static void read_facts(struct reading *reading, int row, struct server_facts *facts)
{
	const struct cell *fields = reading->facts;
	(void)cell_fields(cell_get(reading->result, row, COLUMN_FACTS), reading->facts, FACT_COUNT);
	reading->name_encoding =
		cell_as_text(reading->arena, fields[FACT_NAME_ENCODING], TEXT_LINE);
	*facts = (struct server_facts){
		.version = reading->options->version,
		.max_connections = cell_as_int(fields[FACT_MAX_CONNECTIONS], -1),
		.reserved = cell_as_int(fields[FACT_RESERVED], -1),
		.port = cell_as_int(fields[FACT_PORT], 0),
		.started_at = cell_as_instant(fields[FACT_STARTED_AT]),
		.clock = cell_as_instant(fields[FACT_CLOCK]),
		.own_pid = cell_int(reading->result, row, COLUMN_PID, 0),
		.superuser = cell_as_bool(fields[FACT_SUPERUSER]),
		.sees_all = cell_as_bool(fields[FACT_SEES_ALL]),
		.signals = cell_as_bool(fields[FACT_SIGNALS]),
		.no_check_interval = is_off(fields[FACT_CHECK_INTERVAL]),
		.no_idle_in_transaction = is_off(fields[FACT_IDLE_IN_TRANSACTION]),
		.no_idle_session = is_off(fields[FACT_IDLE_SESSION]),
	};
}

/* The row of dbtop's own session; −1: none. */
static int find_own_row(const PGresult *result)
{
	for (int row = 0; row < PQntuples(result); row++)
		if (!PQgetisnull(result, row, COLUMN_FACTS))
			return row;
	return -1;
}

struct activity *backend_rows_read(
	const PGresult *result, const struct backend_rows_options *options)
{
	if (!cell_has_rows(result, COLUMN_COUNT))
		return NULL;
	struct activity *activity = activity_new();
	int rows = PQntuples(result), own = find_own_row(result);
	activity->backends =
		arena_array(activity->arena, (size_t)rows, sizeof(*activity->backends));
	activity->server.clock = INSTANT_UNKNOWN;
	activity->locks_known = options->form < BACKEND_ROWS_NO_LOCKS;
	activity->limits_known = options->form < BACKEND_ROWS_NO_CATALOG;
	struct reading reading = {
		.arena = activity->arena,
		.result = result,
		.options = options,
	};
	if (own >= 0)
		read_facts(&reading, own, &activity->server);
	static const struct backend none;
	const struct backend *before = &none;
	for (int row = 0; row < rows; row++) {
		struct backend *backend = &activity->backends[activity->n_backends++];
		*backend = read_backend(&reading, row, before);
		before = backend;
	}
	return activity;
}
