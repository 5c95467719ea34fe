/* The sentences of the details screen. */
#include "view/explain.h"

#include <sys/socket.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "model/findings.h"
#include "model/identifier.h"

static const char *const status_words[STATUS_COUNT] = {
	[STATUS_UNKNOWN] = "unknown",
	[STATUS_ACTIVE] = "at work",
	[STATUS_IDLE] = "idle",
	[STATUS_IDLE_IN_TRANSACTION] = "idle in transaction",
	[STATUS_LEAKED] = "LEAKED",
};

static const char *const protections[PROTECTION_COUNT] = {
	[PROTECTION_OWN] = "it is dbtop's own session, or another dbtop's",
	[PROTECTION_SYSTEM] =
		"replication, PostgreSQL itself, an HA agent, or a managed service's own user",
	[PROTECTION_APPLICATION] = "its application is named in the configuration's protect",
	[PROTECTION_USER] = "its user is named in the configuration's protect",
	[PROTECTION_BACKUP] = "a backup or maintenance runs in it, or waits for its other sessions",
	[PROTECTION_BACKEND_CLIENT] =
		"a PostgreSQL session uses it (postgres_fdw, dblink), and may be at work",
	[PROTECTION_POOL_RESERVE] =
		"its pool's stats page says that this slot waits in the pool to be borrowed",
	[PROTECTION_PGBOUNCER_SERVER] =
		"PgBouncer keeps it for the next client; no client is linked to it",
	[PROTECTION_POOLER] =
		"a pooler holds it; whether it keeps it for the next client cannot be asked",
	[PROTECTION_LISTENER] = "it listens, as far as can be seen: it is meant to wait",
	[PROTECTION_ADVISORY_LOCK] =
		"it holds an advisory lock: programs that elect a leader with one keep it for long",
};

static const char *const ends[] = {
	[CLIENT_END_UNKNOWN] = "not known",
	[CLIENT_END_ELSEWHERE] = "on another machine, or behind something that hides it",
	[CLIENT_END_NOT_VISIBLE] = "here, but another user's: its process is not visible to us",
	[CLIENT_END_HELD] = "here, and open",
	[CLIENT_END_GONE] = "gone: no socket has it any more",
};

static const char *const matches[MATCHED_COUNT] = {
	[MATCHED_PAGE] = "page: its pool's stats page names this backend's pid",
	[MATCHED_TCP] = "tcp: its socket has the client's address and port; exact",
	[MATCHED_UNIX] = "unix: its socket is the other end of the backend's; exact",
	[MATCHED_NAT] = "nat: its socket is the client's end by the kernel's translation; exact",
	[MATCHED_NAMESPACE] =
		"namespace: its socket, in another network namespace, is the client's end; exact",
	[MATCHED_PGBOUNCER] = "pgbouncer: PgBouncer's client that is linked to this backend",
	[MATCHED_PROXY] = "proxy: named by application_name, and it holds a socket to the proxy",
	[MATCHED_HOST] =
		"host: the dbtop of that machine sees a process there hold the client's end",
	[MATCHED_FORWARDER] = "forwarder: a forwarder opened it for this process's socket; exact",
	[MATCHED_NAME] = "name: by application_name alone, which anybody may set; not proven",
};

const char *explain_end(enum client_end end)
{
	return ends[end];
}

const char *explain_match(enum matched_by matched_by)
{
	return matches[matched_by];
}

const char *explain_verdict(
	struct arena *arena, const struct verdict *verdict, const struct rules_limits *limits)
{
	char age[DURATION_TEXT_MAX], limit[DURATION_TEXT_MAX];
	const char *lasts = verdict->age < 0
		? ""
		: arena_printf(arena, ", for %s", duration_format(verdict->age, age));
	if (verdict->reason)
		return arena_printf(arena, "LEAKED, %s: %s%s", certainty_name(verdict->certainty),
			reason_phrase(verdict->reason), lasts);
	if (verdict->protection)
		return arena_printf(arena, "%s%s; never presumed leaked: %s",
			status_words[verdict->status], lasts,
			protection_phrase(verdict->protection));
	if (verdict_is_old(verdict, limits))
		return arena_printf(arena, "%s%s, old: presumed leaked after %s",
			status_words[verdict->status], lasts,
			duration_format(
				verdict->status == STATUS_IDLE ? limits->idle : limits->transaction,
				limit));
	return arena_printf(arena, "%s%s", status_words[verdict->status], lasts);
}

static const char *explain_gone(struct arena *arena, const struct connection *connection)
{
	char address[ENDPOINT_TEXT_MAX];
	if (connection->verdict.certainty == CERTAINTY_DECLARED)
		return "The stats page of its process says so: that process is dead. The client's "
		       "end cannot be seen from here, so the kernel can neither confirm nor "
		       "contradict it.";
	if (connection->backend->client.family == AF_UNIX)
		return "The client closed its end of the Unix socket; the backend was seen again "
		       "after that.";
	endpoint_format(&connection->backend->client, address);
	return arena_printf(arena,
		"No socket on this machine has the client's end %s any more; the backend was seen "
		"again after that.",
		address);
}

static const char *explain_limit(struct arena *arena, const char *what, int64_t limit)
{
	char text[DURATION_TEXT_MAX];
	return arena_printf(arena,
		"%s for longer than the limit of %s. Whether its client still wants it, or listens "
		"for notifications, cannot be seen from here: that is why it is presumed.",
		what, duration_format(limit, text));
}

static const char *explain_held(
	struct arena *arena, const struct rules_limits *limits, const struct connection *connection)
{
	char text[DURATION_TEXT_MAX];
	int64_t own = connection->slot ? connection->pool->page->held_limit : -1;
	const char *reported = connection->slot && connection->slot->reported
		? " The pool has reported it, too."
		: "";
	if (connection->verdict.certainty == CERTAINTY_PRESUMED)
		return arena_printf(arena,
			"The pool's stats page says that it is borrowed for longer than the limit "
			"of %s, and no statement ran for longer than that. The limit is the "
			"user's, "
			"not the pool's: that is why it is presumed.%s",
			duration_format(limits->held, text), reported);
	return arena_printf(arena,
		"The pool's stats page says that it is borrowed for longer than the limit of %s, "
		"and no statement ran for longer than that.%s",
		duration_format(limits->held < 0 ? own : limits->held, text), reported);
}

static const char *explain_leak(
	struct arena *arena, const struct rules_limits *limits, const struct connection *connection)
{
	switch (connection->verdict.reason) {
	case REASON_CLIENT_GONE: return explain_gone(arena, connection);
	case REASON_LOCK_STRANDED:
		return arena_printf(arena,
			"It is in a pool's reserve and has no client, but holds a session's "
			"advisory lock for which backend %s waits. The client that took the lock "
			"cannot be known: that is why it is presumed.",
			connection->backend->lock_waiters ? connection->backend->lock_waiters
							  : "of another session");
	case REASON_HELD_TOO_LONG: return explain_held(arena, limits, connection);
	case REASON_IDLE_IN_TRANSACTION_TOO_LONG:
		return explain_limit(arena, "Idle in transaction", limits->transaction);
	case REASON_IDLE_TOO_LONG: return explain_limit(arena, "Idle", limits->idle);
	case REASON_NONE: break;
	}
	return NULL;
}

/* The sentence for a borrowed connection at rest that is within its limit; NULL if no limit counts
 * for it. */
static const char *explain_borrowed(
	struct arena *arena, const struct rules_limits *limits, const struct connection *connection)
{
	char text[DURATION_TEXT_MAX];
	bool borrowed = connection->slot && connection->slot->state == POOL_SLOT_IN_USE;
	int64_t own = borrowed ? connection->pool->page->held_limit : -1;
	int64_t limit = limits->held < 0 ? own : limits->held;
	if (!borrowed || !connection->slot_certain || limit <= 0)
		return NULL;
	return arena_printf(arena,
		"Its pool has lent it. It is leaked once it has been borrowed for %s, and no "
		"statement has run for as long.",
		duration_format(limit, text));
}

static const char *explain_status(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	enum status status = connection->verdict.status;
	const char *borrowed = explain_borrowed(arena, &assessment->limits, connection);
	char text[DURATION_TEXT_MAX];
	const struct rules_limits *limits = &assessment->limits;
	const char *role = assessment->server.user;
	char name[IDENTIFIER_TEXT_MAX];
	switch (status) {
	case STATUS_UNKNOWN:
		if (connection->backend->kind != BACKEND_HIDDEN)
			return "The server does not say what it does: track_activities is off in "
			       "it. It is never counted idle or leaked by its age.";
		identifier_quote(role ? role : "role", name, sizeof(name));
		return arena_printf(arena,
			"The server hides this session from our role. As a superuser: GRANT "
			"pg_monitor TO %s;",
			name);
	case STATUS_ACTIVE:
		if (connection->waits_for_client > 0)
			return arena_printf(arena,
				"It waits for its client to send or to read, as far as was seen "
				"for "
				"%s. A session at work is not leaked, unless its client is proven "
				"gone.",
				duration_format(connection->waits_for_client, text));
		return "A session at work is not leaked, unless its client is proven gone.";
	default: break;
	}
	if (borrowed)
		return borrowed;
	switch (status) {
	case STATUS_IDLE_IN_TRANSACTION:
		return arena_printf(arena, "It is presumed leaked after %s idle in transaction.",
			duration_format(limits->transaction, text));
	default:
		return arena_printf(arena, "It is presumed leaked after %s idle.",
			duration_format(limits->idle, text));
	}
}

const char *explain_evidence(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct verdict *verdict = &connection->verdict;
	if (verdict->reason)
		return explain_leak(arena, &assessment->limits, connection);
	if (verdict->protection)
		return protections[verdict->protection];
	return explain_status(arena, assessment, connection);
}

/* Why no action may end it; NULL if one may. The condition is the same as in action/plan. */
static const char *untouchable(const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	enum protection protection = connection->verdict.protection;
	if (!connection->in_scope)
		return "nothing: it is not among the applications chosen with --app";
	if (protection == PROTECTION_OWN)
		return "nothing: it is dbtop's own session";
	if (protection == PROTECTION_SYSTEM || backend->kind == BACKEND_WALSENDER)
		return "nothing: it is the system's";
	if (backend->kind != BACKEND_CLIENT || backend->start == INSTANT_UNKNOWN)
		return "nothing: the server hides it, so it cannot be identified";
	return NULL;
}

static bool is_running(const struct backend *backend)
{
	return backend->state == BACKEND_STATE_ACTIVE || backend->state == BACKEND_STATE_FASTPATH;
}

static const char *loses(const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	if (connection->backing_up)
		return "; the base backup is lost";
	if (is_running(backend))
		return "; its running statement is lost";
	if (backend->state == BACKEND_STATE_IN_TRANSACTION)
		return "; its open transaction is rolled back";
	return "; what only the session has (temporary tables, cursors, settings) is not known";
}

const char *explain_kill_leaked(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts)
{
	(void)assessment;
	const char *why = untouchable(connection);
	if (why)
		return why;
	if (connection->verdict.status != STATUS_LEAKED)
		return "leaves it alone: it is not leaked";
	*ret_acts = true;
	return arena_printf(arena, "ends it, if it is still in this state when its turn comes%s",
		loses(connection));
}

const char *explain_terminate(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts)
{
	(void)assessment;
	const char *why = untouchable(connection);
	if (why)
		return why;
	*ret_acts = true;
	return arena_printf(arena, "ends it%s", loses(connection));
}

const char *explain_cancel(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts)
{
	(void)arena, (void)assessment;
	const char *why = untouchable(connection);
	if (why)
		return why;
	if (!is_running(connection->backend))
		return "nothing: no statement runs";
	*ret_acts = true;
	return "cancels the running statement; the session lives on";
}

const char *explain_emergency(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts)
{
	const struct client_process *process = assessment_process(assessment, connection);
	enum protection protection = connection->verdict.protection;
	const char *why = untouchable(connection);
	if (why)
		return why;
	if (protection == PROTECTION_APPLICATION || protection == PROTECTION_USER)
		return arena_printf(arena, "leaves it alone: %s", protections[protection]);
	if (process && process->process.host)
		return arena_printf(arena, "cannot stop %s (%d) on another machine; there: %s",
			process->process.name ? process->process.name : "its process",
			process->process.pid,
			findings_host_command(assessment, arena, process->process.host,
				&connection->backend->client));
	*ret_acts = true;
	if (!process || !process->alive)
		return "ends it, after the applications' processes were stopped";
	return arena_printf(arena, "stops %s (%d) as far as it may, then ends what is left",
		process->process.name ? process->process.name : "its process",
		process->process.pid);
}
