/* pg_stat_activity, in binary: no text is made of timestamps there to be parsed again here. */
#include "collect/backends.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/activity.h"
#include "session/cell.h"
#include "session/session.h"

/* Characters of a statement: what fits the largest screen a few times over. A server may keep
 * megabytes (track_activity_query_size). */
#define QUERY_CHARACTERS "2000"
/* … and enough to recognise LISTEN behind a comment when the text is not wanted. */
#define LISTEN_CHARACTERS "200"

enum column {
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
	/* facts about the server: in our own row only */
	COLUMN_MAX_CONNECTIONS,
	COLUMN_RESERVED,
	COLUMN_STARTED_AT,
	COLUMN_CLOCK,
	COLUMN_SUPERUSER,
	COLUMN_SEES_ALL,
	COLUMN_SIGNALS,
	COLUMN_COUNT,
};

/* Our own row carries the server's facts, so that they cost one row and no second statement.
 * Every column is there from 12 to 18 but reserved_connections (16 and up), which the missing_ok
 * form of current_setting() asks for on any version.
 *
 * Processes without a database are PostgreSQL's own and hold no slot; for a plain role the other
 * columns of foreign rows are NULL, so backend_type cannot be filtered on. */
static const char sql[] =
	"SELECT a.pid, a.backend_start, a.backend_type, a.datname, a.usename, a.application_name,"
	" a.client_addr, a.client_port, a.state, a.state_change, a.xact_start, a.query_start,"
	" a.wait_event_type, a.wait_event, pg_catalog.left(a.query, $1::pg_catalog.int4),"
	" l.pid IS NOT NULL,"
	" CASE WHEN own THEN pg_catalog.current_setting('max_connections')::pg_catalog.int4 END,"
	" CASE WHEN own THEN"
	"  pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4"
	"  OPERATOR(pg_catalog.+)"
	"  coalesce(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int4, 0)"
	"  END,"
	" CASE WHEN own THEN pg_catalog.pg_postmaster_start_time() END,"
	" CASE WHEN own THEN pg_catalog.clock_timestamp() END,"
	" CASE WHEN own THEN"
	"  pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' END,"
	" CASE WHEN own THEN pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') END,"
	" CASE WHEN own THEN pg_catalog.pg_has_role('pg_signal_backend', 'USAGE') END"
	" FROM (SELECT *, pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AS own"
	"  FROM pg_catalog.pg_stat_activity) a"
	" LEFT JOIN (SELECT DISTINCT pid FROM pg_catalog.pg_locks"
	"  WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND granted) l"
	"  ON l.pid OPERATOR(pg_catalog.=) a.pid"
	" WHERE a.datid IS NOT NULL OR a.backend_type OPERATOR(pg_catalog.=) 'walsender'";

struct backends {
	struct session *session;
	struct backends_options options;
	struct activity *latest;
	struct arena *texts; /* of error */
	const char *error;
	int64_t asked_at;
};

/* Names seldom differ from the row before: then its copy serves both. */
static const char *read_name(struct arena *arena, const PGresult *result, int row,
	enum column column, const char *before)
{
	int length = PQgetlength(result, row, (int)column);
	if (before && !PQgetisnull(result, row, (int)column) &&
		PQgetlength(result, row - 1, (int)column) == length &&
		memcmp(PQgetvalue(result, row, (int)column),
			PQgetvalue(result, row - 1, (int)column), (size_t)length) == 0)
		return before;
	return cell_text(arena, result, row, (int)column, TEXT_LINE);
}

/* inet's wire form: family (2 is IPv4, 3 IPv6), bits, is_cidr, length, address.
 * src/backend/utils/adt/network.c, network_send(). A client over a Unix socket has no address and
 * port −1; a hidden row has neither. */
static struct endpoint read_client(const PGresult *result, int row)
{
	int32_t port = cell_int(result, row, COLUMN_CLIENT_PORT, 0);
	if (port == -1)
		return (struct endpoint){ .family = AF_UNIX };
	const char *v4 = cell_bytes(result, row, COLUMN_CLIENT_ADDR, 8);
	if (v4 && v4[0] == 2)
		return endpoint_make(AF_INET, v4 + 4, (uint16_t)port);
	const char *v6 = cell_bytes(result, row, COLUMN_CLIENT_ADDR, 20);
	if (v6 && v6[0] == 3)
		return endpoint_make(AF_INET6, v6 + 4, (uint16_t)port);
	return (struct endpoint){ .family = AF_UNSPEC };
}

/* `before` is the row before, or an empty one. */
static struct backend read_backend(struct arena *arena, const PGresult *result, int row,
	const struct backend *before, bool no_query_text)
{
	struct backend backend = {
		.pid = cell_int(result, row, COLUMN_PID, 0),
		.start = cell_instant(result, row, COLUMN_BACKEND_START),
		.kind = backend_kind_parse(PQgetisnull(result, row, COLUMN_BACKEND_TYPE)
				? NULL
				: PQgetvalue(result, row, COLUMN_BACKEND_TYPE)),
		.state_change = cell_instant(result, row, COLUMN_STATE_CHANGE),
		.xact_start = cell_instant(result, row, COLUMN_XACT_START),
		.query_start = cell_instant(result, row, COLUMN_QUERY_START),
		.database = read_name(arena, result, row, COLUMN_DATNAME, before->database),
		.user = read_name(arena, result, row, COLUMN_USENAME, before->user),
		.application_name = read_name(
			arena, result, row, COLUMN_APPLICATION_NAME, before->application_name),
		.client = read_client(result, row),
		.state_text = read_name(arena, result, row, COLUMN_STATE, before->state_text),
		.wait_event_type = read_name(
			arena, result, row, COLUMN_WAIT_EVENT_TYPE, before->wait_event_type),
		.wait_event = read_name(arena, result, row, COLUMN_WAIT_EVENT, before->wait_event),
		.advisory_lock = cell_is_true(result, row, COLUMN_ADVISORY_LOCK),
	};
	backend.state = backend_state_parse(backend.state_text);
	/* a hidden row's query is the words "<insufficient privilege>" */
	if (backend.kind != BACKEND_HIDDEN)
		backend.query = cell_text(arena, result, row, COLUMN_QUERY, TEXT_BLOCK);
	backend.listening = backend_query_is_listen(backend.query);
	if (no_query_text)
		backend.query = NULL;
	return backend;
}

static struct server_facts read_facts(const PGresult *result, int row, int version)
{
	return (struct server_facts){
		.version = version,
		.max_connections = cell_int(result, row, COLUMN_MAX_CONNECTIONS, 0),
		.reserved = cell_int(result, row, COLUMN_RESERVED, 0),
		.started_at = cell_instant(result, row, COLUMN_STARTED_AT),
		.clock = cell_instant(result, row, COLUMN_CLOCK),
		.own_pid = cell_int(result, row, COLUMN_PID, 0),
		.superuser = cell_is_true(result, row, COLUMN_SUPERUSER),
		.sees_all = cell_is_true(result, row, COLUMN_SEES_ALL),
		.signals = cell_is_true(result, row, COLUMN_SIGNALS),
	};
}

static struct activity *read_activity(const struct backends *backends, const PGresult *result)
{
	struct activity *activity = activity_new();
	int rows = PQntuples(result), version = 0;
	PGconn *conn = session_connection(backends->session);
	if (conn)
		version = PQserverVersion(conn);
	activity->backends =
		arena_array(activity->arena, (size_t)rows, sizeof(*activity->backends));
	activity->server.clock = INSTANT_UNKNOWN;
	static const struct backend none;
	const struct backend *before = &none;
	for (int row = 0; row < rows; row++) {
		struct backend *backend = &activity->backends[activity->n_backends++];
		*backend = read_backend(
			activity->arena, result, row, before, backends->options.no_query_text);
		before = backend;
		if (!PQgetisnull(result, row, COLUMN_MAX_CONNECTIONS))
			activity->server = read_facts(result, row, version);
	}
	return activity;
}

/* Through a pooler the backend that ran the statement is one of the pool's, not ours. */
static void take_own_pid(const struct backends *backends, struct activity *activity)
{
	session_answered_by(backends->session, activity->server.own_pid);
	if (session_is_pooled(backends->session))
		activity->server.own_pid = 0;
}

static void set_error(struct backends *backends, const char *error)
{
	arena_reset(backends->texts);
	backends->error =
		error ? text_clean(backends->texts, error, strcspn(error, "\n"), TEXT_LINE) : NULL;
}

static void on_answer(void *data, const PGresult *result, int64_t sent_at)
{
	struct backends *backends = data;
	backends->asked_at = -1;
	if (!result) {
		set_error(backends, "the connection was lost");
	} else if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		set_error(backends, PQresultErrorMessage(result));
	} else if (PQnfields(result) != COLUMN_COUNT) {
		set_error(backends, "this is not a PostgreSQL server's pg_stat_activity");
	} else {
		struct activity *activity = read_activity(backends, result);
		activity->asked_at = sent_at;
		activity->taken_at = instant_now();
		take_own_pid(backends, activity);
		activity_unref(backends->latest);
		backends->latest = activity;
		set_error(backends, NULL);
	}
	backends->options.published(backends->options.data);
}

struct backends *backends_new(struct session *session, const struct backends_options *options)
{
	struct backends *backends = mem_alloc(sizeof(*backends));
	backends->session = session;
	backends->options = *options;
	backends->texts = arena_new();
	backends->asked_at = -1;
	return backends;
}

void backends_free(struct backends *backends)
{
	if (!backends)
		return;
	session_forget(backends->session, backends);
	activity_unref(backends->latest);
	arena_free(backends->texts);
	free(backends);
}

bool backends_refresh(struct backends *backends)
{
	const char *const params[] = {
		backends->options.no_query_text ? LISTEN_CHARACTERS : QUERY_CHARACTERS,
	};
	const struct session_statement statement = { .sql = sql, .n_params = 1, .params = params };
	if (backends->asked_at >= 0)
		return false;
	/* set first: an error while sending calls back at once */
	backends->asked_at = instant_monotonic();
	if (session_query(backends->session, &statement, on_answer, backends))
		return true;
	backends->asked_at = -1;
	return false;
}

int64_t backends_asked_at(const struct backends *backends)
{
	return backends->asked_at;
}

const struct activity *backends_latest(const struct backends *backends)
{
	return backends->latest;
}

const char *backends_error(const struct backends *backends)
{
	return backends->error;
}
