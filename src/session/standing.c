#include "session/standing.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/text.h"
#include "model/identifier.h"
#include "session/failure.h"
#include "session/params.h"

/* libpq's default */
#define DEFAULT_PORT 5432

static const char *clean_copy(struct arena *texts, const char *text)
{
	return text && *text ? text_clean(texts, text, strlen(text), TEXT_LINE) : NULL;
}

/* Copies host, port, user and database as libpq resolved them, from options, environment and
 * service file. */
static void name_server(struct arena *texts, const PGconn *conn, const struct params *params,
	struct server_state *state)
{
	const char *port = conn ? PQport(conn) : params_get(params, "port");
	state->host = clean_copy(texts, conn ? PQhost(conn) : params_get(params, "host"));
	state->port = port && *port ? atoi(port) : DEFAULT_PORT;
	state->database = clean_copy(texts, conn ? PQdb(conn) : params_get(params, "dbname"));
	state->user = clean_copy(texts, conn ? PQuser(conn) : params_get(params, "user"));
}

static void explain(struct arena *texts, const char *message, enum server_status status,
	struct server_state *state)
{
	struct session_failure failure = failure_read(texts, message);
	if (status != SERVER_CONNECTING)
		state->status = failure.status;
	state->error = failure.text;
	state->hint = failure.hint;
	if (strcmp(failure.sqlstate, "42501") == 0 && state->database && state->user) {
		char database[IDENTIFIER_TEXT_MAX], user[IDENTIFIER_TEXT_MAX];
		identifier_quote(state->database, database, sizeof(database));
		identifier_quote(state->user, user, sizeof(user));
		state->hint = arena_printf(texts,
			"the role may not connect: GRANT CONNECT ON DATABASE %s TO %s;", database,
			user);
	}
	memcpy(state->sqlstate, failure.sqlstate, sizeof(state->sqlstate));
}

void standing_init(struct standing *standing)
{
	standing->texts = arena_new();
	standing->state = (struct server_state){ .latency = -1, .retry_at = INSTANT_UNKNOWN };
}

void standing_deinit(struct standing *standing)
{
	arena_free(standing->texts);
}

void standing_set(struct standing *standing, const PGconn *conn, const struct params *params,
	enum server_status status, const char *message)
{
	struct arena *old = standing->texts;
	struct server_state before = standing->state;
	standing->texts = arena_new();
	struct server_state state = {
		.status = status,
		.latency = before.latency,
		.pooler = before.pooler,
		.retry_at = INSTANT_UNKNOWN,
	};
	name_server(standing->texts, conn, params, &state);
	if (!state.host)
		state.host = arena_strdup(standing->texts, before.host);
	if (message)
		explain(standing->texts, message, status, &state);
	standing->state = state;
	arena_free(old);
}
