#include "session/dialect.h"

#include <stdlib.h>

#include "session/params.h"
#include "session/statement.h"

/* Checks the session and sets it up in one statement, so that both happen in the same backend:
 * through a pooler the next statement may run in another one. $1 is the backend pid that the
 * connection reported. One row: the session is our own, and its settings are made. No row: there is
 * a pooler, and nothing was set.
 *
 * The search_path is emptied because any role that may create functions in a schema on the path
 * could make our statements call them. All statements are qualified as well: this one because the
 * path is not empty yet when it runs, the others because through a pooler the path does not
 * change.
 *
 * dbtop.idle_in_transaction keeps the server's own value for backend_rows.c.
 *
 * With SQL_ASCII the server sends each text as it is stored: a text that it cannot convert, as of a
 * database in another encoding, would cost the whole answer. */
static const char setup_sql[] =
	"SELECT pg_catalog.set_config('search_path', '', false),"
	" pg_catalog.set_config('statement_timeout', '5s', false),"
	" pg_catalog.set_config('lock_timeout', '1s', false),"
	" pg_catalog.set_config('dbtop.idle_in_transaction',"
	"  pg_catalog.current_setting('idle_in_transaction_session_timeout'), false),"
	" pg_catalog.set_config('idle_in_transaction_session_timeout', '30s', false),"
	" pg_catalog.set_config('client_encoding', 'SQL_ASCII', false),"
	" pg_catalog.set_config('DateStyle', 'ISO', false),"
	" pg_catalog.set_config('TimeZone', 'UTC', false)"
	" WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1::pg_catalog.int4";

/* Defaults that the user's parameters override: they detect a dead network in a minute instead of
 * hours. */
static const char *const defaults[][2] = {
	{ "keepalives_idle", "20" },
	{ "keepalives_interval", "5" },
	{ "keepalives_count", "4" },
	{ "tcp_user_timeout", "40000" },
};

const struct dialect dialect_postgresql = {
	.setup_sql = setup_sql,
	.asks = true,
	.connect_seconds = 10,
};

/* PgBouncer refuses a connection with `options`; PGOPTIONS in the environment is meant for
 * PostgreSQL. */
static const char *const console_own[][2] = {
	{ "dbname", "pgbouncer" },
	{ "options", "" },
	{ "target_session_attrs", "any" },
	{ NULL, NULL },
};

const struct dialect dialect_console = {
	.own = console_own,
	.simple = true,
	.connect_seconds = 5,
	.answer_seconds = 3,
};

void dialect_take_environment(struct params *params)
{
	const char *host = getenv("PGHOST");
	if (host && *host && !params_get(params, "host") && !params_get(params, "service") &&
		!getenv("PGSERVICE") && !getenv("PGHOSTADDR"))
		params_set(params, "host", host);
}

void dialect_params(
	const struct dialect *dialect, const struct params *wanted, struct params *ret_params)
{
	struct params params = { 0 };
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		params_set(&params, defaults[i][0], defaults[i][1]);
	params_lay_over(&params, wanted);
	for (size_t i = 0; dialect->own && dialect->own[i][0]; i++)
		params_set(&params, dialect->own[i][0], dialect->own[i][1]);
	params_set(&params, "application_name", "dbtop");
	params_set(&params, "client_encoding", "UTF8");
	*ret_params = params;
}

bool dialect_send(const struct dialect *dialect, PGconn *conn, const struct statement *statement)
{
	if (dialect->simple)
		return PQsendQuery(conn, statement->sql);
	return PQsendQueryParams(conn, statement->sql, statement->n_params, NULL,
		(const char *const *)statement->params, NULL, NULL, 1);
}
