/* What differs between a PostgreSQL server and a PgBouncer's console: how one connects, sets up and
 * sends. */
#ifndef SESSION_DIALECT_H
#define SESSION_DIALECT_H

#include <libpq-fe.h>
#include <stdbool.h>

struct params;
struct statement;

struct dialect {
	const char *setup_sql; /* NULL: there is nothing to set */
	const char *dbname;    /* expanded as a conninfo; NULL: the user's */
	bool simple;           /* the simple query protocol */
	bool asks;             /* a password that is missing is asked for: no attempt without it */
	unsigned connect_seconds, answer_seconds; /* 0: it ends its statements itself */
};

extern const struct dialect dialect_postgresql, dialect_console;

/* PGHOST names the host as well as -h does, and must be looked up here, too. A service file is
 * libpq's to read: a name in there is the one case where a look-up makes us wait. */
void dialect_take_environment(struct params *params);

/* Begins to connect with what is wanted, over our defaults and under what is dbtop's own. With
 * `addresses` the names were looked up before: lists for libpq's host and hostaddr, else both are
 * NULL. NULL when out of memory; the connection may already have failed (PQstatus). Its errors are
 * verbose, as failure_read() wants them. */
PGconn *dialect_connect(const struct dialect *dialect, const struct params *wanted,
	const char *hosts, const char *addresses);

/* False when it cannot be sent: PQerrorMessage() says why. */
bool dialect_send(const struct dialect *dialect, PGconn *conn, const struct statement *statement)
	__attribute__((warn_unused_result));

#endif
