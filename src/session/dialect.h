/* What differs between a PostgreSQL server and a PgBouncer's console: how one connects, sets up and
 * sends. */
#ifndef SESSION_DIALECT_H
#define SESSION_DIALECT_H

#include <libpq-fe.h>
#include <stdbool.h>

struct params;
struct statement;

struct dialect {
	/* With the backend's pid as its parameter: one row when the session is our own and set up,
	 * no row through a pooler. NULL: there is nothing to set. */
	const char *setup_sql;
	const char *const (*own)[2]; /* parameters over the user's; ends with NULL; or NULL */
	bool simple;                 /* the simple query protocol */
	bool asks; /* a password that is missing is asked for: no attempt without it */
	unsigned connect_seconds, answer_seconds; /* 0: it ends its statements itself */
};

extern const struct dialect dialect_postgresql, dialect_console;

/* PGHOST as the host, unless another is named: it is shown while we connect. */
void dialect_take_environment(struct params *params);

/* What is wanted, over our defaults and under what is dbtop's own. The caller clears it. */
void dialect_params(
	const struct dialect *dialect, const struct params *wanted, struct params *ret_params);

/* False when it cannot be sent: PQerrorMessage() says why. */
bool dialect_send(const struct dialect *dialect, PGconn *conn, const struct statement *statement)
	__attribute__((warn_unused_result));

#endif
