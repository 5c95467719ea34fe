/* The differences between a PostgreSQL server and a PgBouncer console: connecting, setting up and
 * sending statements. */
#ifndef SESSION_DIALECT_H
#define SESSION_DIALECT_H

#include <libpq-fe.h>
#include <stdbool.h>

struct params;
struct statement;

struct dialect {
	/* Its parameter is the backend's pid. Returns one row when the session is our own and was
	 * set up, and no row through a pooler. NULL: nothing to set up. */
	const char *setup_sql;
	const char *const (*own)[2]; /* override the user's parameters; NULL-terminated, or NULL */
	bool simple;                 /* uses the simple query protocol */
	bool asks; /* the user is asked for a missing password; no attempt is made before */
	unsigned connect_seconds, answer_seconds; /* 0: the server limits statements itself */
};

extern const struct dialect dialect_postgresql, dialect_console;

/* Sets the host to PGHOST, unless a host is set: it is shown while we connect. */
void dialect_take_environment(struct params *params);

/* Combines the parameters: `wanted` overrides our defaults, and dbtop's own override `wanted`. The
 * caller clears *ret_params. */
void dialect_params(
	const struct dialect *dialect, const struct params *wanted, struct params *ret_params);

/* Returns false when the statement cannot be sent; PQerrorMessage() then has the reason. */
bool dialect_send(const struct dialect *dialect, PGconn *conn, const struct statement *statement)
	__attribute__((warn_unused_result));

#endif
