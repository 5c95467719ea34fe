/* Reads pg_stat_activity and keeps the latest answer. */
#include "collect/backends.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "collect/backend_rows.h"
#include "model/activity.h"
#include "session/session.h"

/* The longest query text in bytes: a few times what fits on the largest screen. A server may
 * keep megabytes (track_activity_query_size). */
#define QUERY_BYTES "2000"

/* How long a simpler form is used before the whole statement is tried again, in µs. */
#define WHOLE_EVERY (60 * USEC_PER_SEC)

struct backends {
	struct session *session;
	struct backends_options options;
	struct activity *latest;
	struct arena *texts; /* holds error */
	const char *error;
	const char *lacks; /* what the latest answer lacks, and why; NULL: nothing */
	int64_t asked_at;
	int form;         /* of the statement, an index into backend_rows_sql */
	int64_t whole_at; /* monotonic: when to try the whole statement again */
};

/* Behind a pooler the backend that ran the statement belongs to the pool; it is not ours. */
static void take_own_pid(const struct backends *backends, struct activity *activity)
{
	session_answered_by(backends->session, activity->server.own_pid);
	if (!session_is_pooled(backends->session))
		return;
	activity->server.pooled_pid = activity->server.own_pid;
	activity->server.own_pid = 0;
}

static void set_error(struct backends *backends, const char *error)
{
	arena_reset(backends->texts);
	backends->error =
		error ? text_clean(backends->texts, error, strcspn(error, "\n"), TEXT_LINE) : NULL;
	backends->lacks = NULL;
}

/* Keeps the reason why the form that failed did; the next one lacks something. */
static void set_lack(struct backends *backends, const char *error)
{
	arena_reset(backends->texts);
	error = text_clean(backends->texts, error, strcspn(error, "\n"), TEXT_LINE);
	backends->lacks =
		arena_printf(backends->texts, "%s: %s", backend_rows_lacks[backends->form], error);
	backends->error = NULL;
}

static const char *reason_of(const PGresult *result)
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	return primary ? primary : PQresultErrorMessage(result);
}

/* The form of the statement that may do without what failed; 0 if there is none. */
static int simpler_form(const struct backends *backends, const PGresult *result)
{
	/* a right, a view or a function that our role or this server does not have, or a part that
	 * takes too long */
	static const char *const lacking[] = { "42501", "42P01", "42883", "42703", "57014" };
	const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (!code || backends->form == BACKEND_ROWS_NO_QUERIES)
		return 0;
	/* a text that cannot be converted */
	if (strcmp(code, "22021") == 0 || strcmp(code, "22P05") == 0)
		return BACKEND_ROWS_NO_QUERIES;
	for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++)
		if (strcmp(code, lacking[i]) == 0 && backends->form + 1 < BACKEND_ROWS_NO_QUERIES)
			return backends->form + 1;
	return 0;
}

static void take_answer(struct backends *backends, const PGresult *result, int64_t sent_at)
{
	PGconn *conn = session_connection(backends->session);
	const char *encoding = conn ? PQparameterStatus(conn, "client_encoding") : NULL;
	const struct backend_rows_options options = {
		.version = conn ? PQserverVersion(conn) : 0,
		.form = (enum backend_rows_form)backends->form,
		.stored_bytes = encoding && strcmp(encoding, "SQL_ASCII") == 0,
		.no_query_text = backends->options.no_query_text,
	};
	struct activity *activity = backend_rows_read(result, &options);
	if (!activity) {
		set_error(backends, "this is not a PostgreSQL server's pg_stat_activity");
		return;
	}
	activity->asked_at = sent_at;
	activity->taken_at = instant_now();
	activity->asked_monotonic = session_sent_monotonic(backends->session);
	activity->taken_monotonic = instant_monotonic();
	take_own_pid(backends, activity);
	activity_unref(backends->latest);
	backends->latest = activity;
	if (backends->form == 0)
		set_error(backends, NULL);
}

static void on_answer(void *data, const PGresult *result, int64_t sent_at)
{
	struct backends *backends = data;
	backends->asked_at = -1;
	if (!result) {
		set_error(backends, "the connection was lost");
	} else if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		int form = simpler_form(backends, result);
		if (form) {
			if (backends->form == 0)
				backends->whole_at = instant_monotonic() + WHOLE_EVERY;
			backends->form = form;
			set_lack(backends, reason_of(result));
			if (backends_refresh(backends))
				return;
		}
		set_error(backends, reason_of(result));
	} else {
		take_answer(backends, result, sent_at);
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
	const char *const params[] = { QUERY_BYTES };
	struct session_statement statement = { .n_params = 1, .params = params };
	if (backends->asked_at >= 0)
		return false;
	if (backends->form && instant_monotonic() >= backends->whole_at)
		backends->form = 0;
	statement.sql = backend_rows_sql[backends->form];
	/* set before sending: an error while sending runs the callback at once */
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

const char *backends_lacks(const struct backends *backends)
{
	return backends->lacks;
}

const char *backends_error(const struct backends *backends)
{
	return backends->error;
}
