/* A database full of functions, operators, types and views that have the names of PostgreSQL's own.
 *
 * Anybody who may create objects in a schema on somebody's search_path can do the same: an
 * unqualified name resolves to the object that matches the arguments best, or that comes first in
 * the path. The server logs what each statement resolves to, so that a trap is also found where it
 * is not run. */
#ifndef LIVE_TRAPS_H
#define LIVE_TRAPS_H

#include "demo/private_server.h"

/* Settings that a server with traps needs: for live_server_start(). */
extern const char *const live_traps_settings[];

#define LIVE_TRAPS_DATABASE "trapped"

/* The usual path, with pg_catalog before public. Traps match better than PostgreSQL's own functions
 * and operators do, wherever an argument would have to be converted. */
#define LIVE_TRAPS_USUAL "trapped_usual"

/* pg_catalog is last in the path: every name that is not qualified resolves to a trap, which is a
 * copy of PostgreSQL's own object and works like it. */
#define LIVE_TRAPS_FIRST "trapped_first"

/* Creates the database and the two roles, which may log in and own nothing. Fails the test unless
 * a statement with unqualified names springs traps for each role. Takes 3 seconds. */
void live_traps_set(const struct private_server *server);

/* What the server logs from now on counts; live_traps_set() begins, too. */
void live_traps_begin(const struct private_server *server);

/* The statements in that database that resolve to traps, each once, one a line; NULL for none. The
 * caller frees it. Only statements that have ended are surely in the log. */
char *live_traps_sprung(const struct private_server *server);

/* How many statements in that database the server has logged. */
int live_traps_statements(const struct private_server *server);

#endif
