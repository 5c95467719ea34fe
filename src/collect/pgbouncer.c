/* Asks SHOW in rounds over a session. */
#include "collect/pgbouncer.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "collect/bouncer_round.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/bouncer.h"
#include "model/peers.h"
#include "session/params.h"
#include "session/session.h"

struct pgbouncer {
	struct pgbouncer_callbacks callbacks;
	struct session *session;
	struct bouncer_sightings *sightings;
	struct bouncer_round *round; /* the current round; NULL between two rounds */
	int left;                    /* answers of the round that have not arrived yet */
	const struct bouncer *latest;
	char *name;         /* "pgbouncer 127.0.0.1:6432" */
	struct arena *text; /* holds error */
	const char *error;  /* of the last round; NULL if it succeeded */
	uv_timer_t *first;  /* runs until the first answer is overdue */
	unsigned first_seconds;
	bool late; /* the first answer is overdue */
};

/* How long to wait for the first answer, unless connect_timeout is longer. */
#define FIRST_ANSWER_SECONDS 2

static void set_error(struct pgbouncer *pgbouncer, const char *error)
{
	arena_reset(pgbouncer->text);
	pgbouncer->error =
		error ? text_clean(pgbouncer->text, error, strcspn(error, "\n"), TEXT_LINE) : NULL;
}

/* Over a Unix socket the kernel reports the user at the other end. */
static uint32_t console_uid(const struct pgbouncer *pgbouncer)
{
	const PGconn *conn = session_connection(pgbouncer->session);
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (!conn || getsockopt(PQsocket(conn), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
		peer.pid == 0)
		return UINT32_MAX;
	return peer.uid;
}

static void publish(struct pgbouncer *pgbouncer)
{
	struct peers_target where;
	struct bouncer *bouncer =
		bouncer_round_finish(pgbouncer->round, pgbouncer->sightings, instant_monotonic());
	bouncer->taken_at = instant_now();
	const PGconn *conn = session_connection(pgbouncer->session);
	session_locate(pgbouncer->session, &where);
	bouncer->name = arena_strdup(bouncer->arena, pgbouncer->name + strlen("pgbouncer "));
	bouncer->port = where.port;
	bouncer->own_inode = where.own_inode;
	bouncer->uid = console_uid(pgbouncer);
	bouncer->version = conn ? PQserverVersion(conn) : 0;
	bouncer_unref(pgbouncer->latest);
	pgbouncer->latest = bouncer;
	uv_timer_stop(pgbouncer->first);
	pgbouncer->late = false;
}

static void end_round(struct pgbouncer *pgbouncer)
{
	if (!pgbouncer->error)
		publish(pgbouncer);
	bouncer_round_free(pgbouncer->round);
	pgbouncer->round = NULL;
	pgbouncer->callbacks.published(pgbouncer->callbacks.data);
}

static void on_answer(void *data, const PGresult *result, int64_t sent_at)
{
	struct pgbouncer *pgbouncer = data;
	(void)sent_at;
	if (pgbouncer->error)
		;
	else if (!result)
		set_error(pgbouncer, "the connection was lost");
	else if (PQresultStatus(result) != PGRES_TUPLES_OK)
		set_error(pgbouncer, PQresultErrorMessage(result));
	else if (!bouncer_round_take(
			 pgbouncer->round, result, session_sent_monotonic(pgbouncer->session)))
		set_error(pgbouncer, "this is not PgBouncer's admin console");
	if (--pgbouncer->left == 0)
		end_round(pgbouncer);
}

bool pgbouncer_refresh(struct pgbouncer *pgbouncer)
{
	struct peers_target where;
	if (pgbouncer->round || !session_is_ready(pgbouncer->session))
		return false;
	session_locate(pgbouncer->session, &where);
	set_error(pgbouncer, NULL);
	pgbouncer->round = bouncer_round_new(&where.own, &where.server, (int32_t)getpid());
	/* set before sending: an error while sending runs the callback at once */
	pgbouncer->left = BOUNCER_QUESTIONS;
	for (int i = 0; i < BOUNCER_QUESTIONS; i++) {
		const struct session_statement statement = {
			.sql = bouncer_question_sql((enum bouncer_question)i),
		};
		if (!session_query(pgbouncer->session, &statement, on_answer, pgbouncer))
			on_answer(pgbouncer, NULL, INSTANT_UNKNOWN);
	}
	return true;
}

static void on_ready(void *data)
{
	struct pgbouncer *pgbouncer = data;
	pgbouncer->callbacks.ready(pgbouncer->callbacks.data);
}

static void on_changed(void *data)
{
	struct pgbouncer *pgbouncer = data;
	pgbouncer->callbacks.changed(pgbouncer->callbacks.data);
}

/* Makes the name from what the user wrote, not from the address that was reached: the name exists
 * before the first connection and never changes. */
static char *make_name(const struct params *params)
{
	const char *host = params_get(params, "host");
	const char *port = params_get(params, "port");
	struct arena *arena = arena_new();
	if (!host)
		host = params_get(params, "hostaddr");
	char *name =
		mem_printf(strchr(host ? host : "", ':') ? "pgbouncer [%s]:%s" : "pgbouncer %s:%s",
			host ? host : "local", port ? port : "");
	char *clean = mem_strdup(text_clean(arena, name, strlen(name), TEXT_LINE));
	free(name);
	arena_free(arena);
	return clean;
}

static void on_late(uv_timer_t *timer)
{
	struct pgbouncer *pgbouncer = timer->data;
	pgbouncer->late = true;
	pgbouncer->callbacks.changed(pgbouncer->callbacks.data);
}

static unsigned first_answer_seconds(const struct params *params)
{
	const char *timeout = params_get(params, "connect_timeout");
	int seconds = timeout ? atoi(timeout) : 0;
	return seconds > FIRST_ANSWER_SECONDS ? (unsigned)seconds : FIRST_ANSWER_SECONDS;
}

struct pgbouncer *pgbouncer_new(
	uv_loop_t *loop, const struct params *params, const struct pgbouncer_callbacks *callbacks)
{
	struct pgbouncer *pgbouncer = mem_alloc(sizeof(*pgbouncer));
	const struct session_callbacks session = {
		.data = pgbouncer,
		.ready = on_ready,
		.changed = on_changed,
	};
	struct params merged = { 0 };
	pgbouncer->callbacks = *callbacks;
	/* PGPORT is not used: it is PostgreSQL's port */
	params_set(&merged, "port", "6432");
	params_lay_over(&merged, params);
	pgbouncer->name = make_name(&merged);
	pgbouncer->session = session_new_console(loop, &merged, &session);
	pgbouncer->first_seconds = first_answer_seconds(&merged);
	pgbouncer->first = handle_new_timer(loop, pgbouncer);
	params_clear(&merged);
	pgbouncer->sightings = bouncer_sightings_new();
	pgbouncer->text = arena_new();
	return pgbouncer;
}

void pgbouncer_start(struct pgbouncer *pgbouncer)
{
	uv_timer_start(pgbouncer->first, on_late, pgbouncer->first_seconds * UINT64_C(1000), 0);
	session_start(pgbouncer->session);
}

void pgbouncer_free(struct pgbouncer *pgbouncer)
{
	if (!pgbouncer)
		return;
	session_free(pgbouncer->session);
	handle_close(pgbouncer->first);
	bouncer_round_free(pgbouncer->round);
	bouncer_sightings_free(pgbouncer->sightings);
	bouncer_unref(pgbouncer->latest);
	arena_free(pgbouncer->text);
	free(pgbouncer->name);
	free(pgbouncer);
}

const struct bouncer *pgbouncer_latest(const struct pgbouncer *pgbouncer)
{
	return pgbouncer->latest;
}

struct source_state pgbouncer_source(
	const struct pgbouncer *pgbouncer, int64_t now, int64_t stale_after)
{
	const struct server_state *state = session_state(pgbouncer->session);
	const struct bouncer *latest = pgbouncer->latest;
	struct source_state source = {
		.name = pgbouncer->name,
		.status = SOURCE_OK,
		.taken_at = latest ? latest->taken_at : INSTANT_UNKNOWN,
		.error = state->error ? state->error : pgbouncer->error,
	};
	if (!source.error && !latest && pgbouncer->late)
		source.error = "it has not answered yet";
	bool old = latest && now - latest->taken_at > stale_after;
	if (source.error || old)
		source.status = latest ? SOURCE_STALE : SOURCE_FAILED;
	else if (!latest)
		source.status = SOURCE_WAITING;
	if (old && !source.error)
		source.error = "it does not answer";
	return source;
}
