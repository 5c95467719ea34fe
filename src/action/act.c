/* Checks and signals in one statement.
 *
 * A session has no lock that would hold it still, so no statement can check and signal a session
 * atomically: it may wake up in between. The statement keeps that gap as short as SQL allows.
 * pg_stat_get_activity() copies the status of every session, and judging its rows takes some 20 µs
 * more; so, last of all, the copy is thrown away and what changes when a session wakes up is read
 * again: the start of its statement from a fresh copy, then its wait event, which is never copied
 * but read from the live process entry. CASE guarantees the order. From there to the signal it is
 * about a microsecond. A signal that meets a session before it has begun to work ends it before
 * it reads what its client sent.
 *
 * A session that wakes up a thousand times a second hits the remaining gap now and then (measured:
 * once in 600 signals). So a session that came to rest less than 50 ms ago counts as alive: what is
 * in use is never at rest for long, and what leaked always is.
 *
 * The second reading needs the number of the session's entry. Up to 15 that is its place in the
 * copy, which another session may have in the fresh copy; from 16 on it is the backend's id, which
 * stays. The number is settled before the copy is thrown away (an aggregate reads all of the first
 * copy), and looked for again where it is another session's by then. A session that the second
 * reading does not find has gone. LIMIT makes one row, and one signal at most, a property of the
 * statement's form.
 *
 * The server's process may be off the processor between the fresh copy and the signal, and the
 * session may work and rest again meanwhile. So the statement measures that time: after a pause it
 * signals nothing, and is sent again, unless it is the last attempt; and when the pause fell into
 * the signal itself, the result says so. (Not where the client is proven gone: nobody can have
 * begun anything. It is sent again there too, because a pid may be reused in a pause.)
 *
 * The pause in the signal is nearly always the target's doing: it wakes up and displaces the
 * process that signalled, which has used up its time slice by planning the statement. With a server
 * at nice -20 that happened to 37 of 59 first signals of a connection and to 8 of 120 later ones.
 * So the statement is rehearsed once for each plan, which loads what planning needs, and sleeps
 * before it looks, which begins a new time slice: that left 1 of 60 and 2 of 120.
 *
 * Every name is qualified and every literal has its type, so that no object in another schema can
 * be preferred, whatever the search_path is. IN and IS DISTINCT FROM look their operators up in the
 * search_path: they are written out. */
#include "action/act.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/text.h"
#include "session/cell.h"

#define EQUALS "OPERATOR(pg_catalog.=)"

/* A session at rest waits for its client; one with a client that reads no more may still be
 * writing its last answer. Anything else is a session at work. */
#define WAITS_FOR_CLIENT                                                                           \
	EQUALS " ANY (ARRAY['ClientRead', 'ClientWrite']::pg_catalog.text[]) IS TRUE"

/* A session that came to rest after this is in use. */
#define REST "(t.at OPERATOR(pg_catalog.-) '50 ms'::pg_catalog.interval)"

/* The time since the fresh copy is longer than the interval, which follows. */
#define LONGER_THAN                                                                                \
	"pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) s.at OPERATOR(pg_catalog.>) "

/* From the fresh copy to the signal it is some 20 µs. */
#define LIMIT "1 ms"

/* The number of an entry by its pid, which follows; NULL when there is none. */
#define NUMBER_OF_PID                                                                              \
	"SELECT pg_catalog.min(i) AS number FROM pg_catalog.pg_stat_get_backend_idset() AS i"      \
	" WHERE pg_catalog.pg_stat_get_backend_pid(i) " EQUALS " "

/* The statement, up to the name of the function that signals, and from there on. In arrays NULL
 * equals NULL. The WHEN that throws the copy away is never true, and the one that sleeps always is:
 * they are only there so that the functions, which return void, are evaluated. OFFSET keeps the
 * number from being looked for twice. Columns: the outcome, the server's clock before the check,
 * the state and state_change seen, a hint. */
#define CHECK                                                                                      \
	"SELECT CASE"                                                                              \
	" WHEN a.pid IS NULL THEN 'gone'::pg_catalog.text"                                         \
	" WHEN a.backend_start IS NULL THEN 'hidden'"                                              \
	" WHEN a.backend_start " EQUALS " $2::pg_catalog.timestamptz IS NOT TRUE THEN 'gone'"      \
	" WHEN a.backend_type " EQUALS " 'client backend'::pg_catalog.text IS NOT TRUE"            \
	" OR a.pid " EQUALS " pg_catalog.pg_backend_pid() THEN 'refused'"                          \
	" WHEN NOT ARRAY[a.state] " EQUALS " ARRAY[$3::pg_catalog.text]"                           \
	" OR NOT ARRAY[a.state_change] " EQUALS " ARRAY[$4::pg_catalog.timestamptz]"               \
	" OR ($5::pg_catalog.bool AND a.state_change OPERATOR(pg_catalog.>) " REST ")"             \
	" THEN 'changed'"                                                                          \
	" WHEN $5::pg_catalog.bool AND NOT (a.wait_event " WAITS_FOR_CLIENT ") THEN 'changed'"     \
	" WHEN pg_catalog.pg_stat_clear_snapshot()::pg_catalog.text IS NULL THEN 'changed'"        \
	" ELSE (SELECT CASE"                                                                       \
	" WHEN pg_catalog.pg_stat_get_backend_start(s.number) " EQUALS " a.backend_start"          \
	" IS NOT TRUE THEN 'gone'::pg_catalog.text"                                                \
	" WHEN NOT ARRAY[pg_catalog.pg_stat_get_backend_activity_start(s.number)] " EQUALS         \
	" ARRAY[a.query_start] THEN 'changed'"                                                     \
	" WHEN $5::pg_catalog.bool"                                                                \
	" AND NOT (pg_catalog.pg_stat_get_backend_wait_event(s.number) " WAITS_FOR_CLIENT ")"      \
	" THEN 'changed'"                                                                          \
	" WHEN " LONGER_THAN "$6::pg_catalog.interval THEN 'slow'"                                 \
	" WHEN pg_catalog."
#define AND_SIGNAL                                                                                 \
	"(a.pid) THEN CASE WHEN " LONGER_THAN "'" LIMIT "'::pg_catalog.interval"                   \
	" THEN 'late' ELSE 'signalled' END"                                                        \
	" ELSE 'gone' END FROM (SELECT pg_catalog.clock_timestamp() AS at, CASE"                   \
	" WHEN pg_catalog.pg_stat_get_backend_pid(b.number) " EQUALS " a.pid THEN b.number"        \
	" ELSE (" NUMBER_OF_PID "a.pid) END AS number OFFSET 0) s)"                                \
	" END, t.at, a.state, a.state_change,"                                                     \
	" CASE WHEN a.pid IS NOT NULL AND a.backend_start IS NULL"                                 \
	" THEN " GRANT "'pg_monitor'::pg_catalog.text, CURRENT_USER) END"                          \
	" FROM (SELECT $1::pg_catalog.int4 AS pid, CASE WHEN"                                      \
	" pg_catalog.pg_sleep(0.001::pg_catalog.float8)::pg_catalog.text IS NOT NULL"              \
	" THEN pg_catalog.clock_timestamp() END AS at) t"                                          \
	" LEFT JOIN LATERAL (" NUMBER_OF_PID "t.pid) b ON true"                                    \
	" LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(t.pid) a ON true LIMIT 1"

/* The statement that would help: the role that is missing follows, and ours. */
#define GRANT "pg_catalog.format('GRANT %I TO %I;'::pg_catalog.text, "

enum { COLUMN_OUTCOME, COLUMN_CLOCK, COLUMN_STATE, COLUMN_STATE_CHANGE, COLUMN_HINT, N_COLUMNS };

static const char terminate_sql[] = CHECK "pg_terminate_backend" AND_SIGNAL;
static const char cancel_sql[] = CHECK "pg_cancel_backend" AND_SIGNAL;

static const char why_sql[] =
	"SELECT CASE WHEN r.rolsuper"
	" THEN 'only a superuser may end a superuser''s session'::pg_catalog.text"
	" ELSE " GRANT "'pg_signal_backend'::pg_catalog.text, CURRENT_USER) END"
	" FROM pg_catalog.pg_stat_get_activity($1::pg_catalog.int4) a"
	" JOIN pg_catalog.pg_roles r ON r.oid " EQUALS " a.usesysid";

static const char probe_sql[] =
	"SELECT t.n FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS t(n pg_catalog.int4,"
	" pid pg_catalog.int4, start pg_catalog.timestamptz, change pg_catalog.timestamptz)"
	" JOIN pg_catalog.pg_stat_get_activity(NULL::pg_catalog.int4) a"
	" ON a.pid " EQUALS " t.pid AND a.backend_start " EQUALS " t.start"
	" WHERE t.change IS NULL OR a.state_change " EQUALS " t.change";

static bool is_at_rest(enum backend_state state)
{
	return state == BACKEND_STATE_IDLE || state == BACKEND_STATE_IN_TRANSACTION ||
		state == BACKEND_STATE_IN_ABORTED_TRANSACTION;
}

/* A literal with six digits is read exactly; sums with intervals may pass through a double. NULL
 * for unknown. */
static const char *timestamp(int64_t instant, char text[static INSTANT_TEXT_MAX])
{
	return instant == INSTANT_UNKNOWN ? NULL : instant_rfc3339(instant, text);
}

bool act_signal(struct session *session, enum action_kind kind, const struct action_step *step,
	enum act_attempt attempt, session_done_fn *done, void *data)
{
	/* NULL: no time is too long */
	static const char *const limits[] = {
		[ACT_REHEARSE] = "-1 ms", [ACT_IF_QUICK] = LIMIT, [ACT_ANYHOW] = NULL
	};
	char pid[16], start[INSTANT_TEXT_MAX], change[INSTANT_TEXT_MAX];
	snprintf(pid, sizeof(pid), "%d", step->pid);
	const char *params[] = { pid, timestamp(step->session.backend_start, start),
		step->session.state_text, timestamp(step->session.state_change, change),
		is_at_rest(step->session.state) ? "t" : "f", limits[attempt] };
	struct session_statement statement = {
		.sql = kind == ACTION_CANCEL ? cancel_sql : terminate_sql,
		.n_params = sizeof(params) / sizeof(params[0]),
		.params = params,
	};
	return session_query(session, &statement, done, data);
}

bool act_ask_why(
	struct session *session, const struct action_step *step, session_done_fn *done, void *data)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", step->pid);
	const char *params[] = { pid };
	struct session_statement statement = { .sql = why_sql, .n_params = 1, .params = params };
	return session_query(session, &statement, done, data);
}

/* What act_probe() asks about, as the JSON array that probe_sql reads. */
static char *list_sessions(const struct action *plan)
{
	json_t *list = json_array();
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct action_step *step = &plan->steps[i];
		char start[INSTANT_TEXT_MAX], change[INSTANT_TEXT_MAX];
		if (!step->selected || step->result != RESULT_PENDING)
			continue;
		json_array_append_new(list,
			json_pack("{si si ss? ss?}", "n", (int)i, "pid", step->pid, "start",
				timestamp(step->session.backend_start, start), "change",
				plan->kind == ACTION_CANCEL
					? timestamp(step->session.state_change, change)
					: NULL));
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

bool act_probe(
	struct session *session, const struct action *plan, session_done_fn *done, void *data)
{
	CLEANUP(cleanup_free) char *sessions = list_sessions(plan);
	const char *params[] = { sessions };
	struct session_statement statement = { .sql = probe_sql, .n_params = 1, .params = params };
	return session_query(session, &statement, done, data);
}

static const char *clean_field(
	struct arena *arena, const PGresult *result, int column, const char *otherwise)
{
	const char *text = cell_text(arena, result, 0, column, TEXT_LINE);
	return text ? text : otherwise;
}

/* Whether the answer is complete and has one row. */
static bool is_row(const PGresult *result, int n_columns)
{
	return cell_has_rows(result, n_columns) && PQntuples(result) == 1;
}

static const struct {
	const char *outcome;
	enum action_result result;
	const char *detail;
} outcomes[] = {
	{ "signalled", RESULT_PENDING, NULL },
	{ "late", RESULT_PENDING, "the server was slow: it may have begun a statement" },
	{ "gone", RESULT_GONE, NULL },
	{ "changed", RESULT_CHANGED, NULL },
	{ "hidden", RESULT_DENIED, "our role does not see this session" },
	{ "refused", RESULT_DENIED, "not a client's session, or dbtop's own" },
};

/* Nobody can use it any more. */
static bool has_lost_its_client(const struct action_step *step)
{
	return step->session.reason == REASON_CLIENT_GONE &&
		step->session.certainty == CERTAINTY_PROVEN;
}

static enum action_result read_outcome(
	const PGresult *result, struct arena *arena, struct action_step *step)
{
	const char *outcome = clean_field(arena, result, COLUMN_OUTCOME, "");
	step->session.seen_at = cell_instant(result, 0, COLUMN_CLOCK);
	step->session.seen_state = clean_field(arena, result, COLUMN_STATE, NULL);
	step->session.seen_state_change = cell_instant(result, 0, COLUMN_STATE_CHANGE);
	if (strcmp(outcome, "late") == 0 && has_lost_its_client(step))
		outcome = "signalled";
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (strcmp(outcome, outcomes[i].outcome) == 0) {
			step->detail = clean_field(arena, result, COLUMN_HINT, outcomes[i].detail);
			return outcomes[i].result;
		}
	step->detail = "the server's answer is not understood";
	return RESULT_TIMEOUT;
}

bool act_was_slow(const PGresult *result)
{
	return result && is_row(result, N_COLUMNS) &&
		strcmp(PQgetvalue(result, 0, COLUMN_OUTCOME), "slow") == 0;
}

/* The words change between versions and languages, the code does not. */
static enum action_result read_error(
	const PGresult *result, struct arena *arena, struct action_step *step)
{
	const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (code && strcmp(code, "42501") == 0)
		return RESULT_DENIED;
	step->detail = message ? text_clean(arena, message, strlen(message), TEXT_LINE)
			       : "the server's answer is not understood";
	/* class 57: a timeout, a shutdown; anything else is the server's refusal */
	return code && strncmp(code, "57", 2) != 0 ? RESULT_DENIED : RESULT_TIMEOUT;
}

enum action_result act_read_signal(
	const PGresult *result, struct arena *arena, struct action_step *step)
{
	if (!result) {
		step->detail = "the connection was lost before the answer came";
		return RESULT_TIMEOUT;
	}
	if (!is_row(result, N_COLUMNS))
		return read_error(result, arena, step);
	return read_outcome(result, arena, step);
}

const char *act_read_why(const PGresult *result, struct arena *arena)
{
	static const char unknown[] = "permission denied";
	return is_row(result, 1) ? clean_field(arena, result, 0, unknown) : unknown;
}

bool act_read_probe(const PGresult *result, const struct action *plan, bool *present)
{
	if (!cell_has_rows(result, 1))
		return false;
	memset(present, 0, plan->n_steps * sizeof(*present));
	for (int row = 0; row < PQntuples(result); row++) {
		int32_t i = cell_int(result, row, 0, -1);
		if (i < 0)
			return false;
		if ((size_t)i < plan->n_steps)
			present[i] = true;
	}
	return true;
}
