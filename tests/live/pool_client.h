/* The roles of pool_client: one process of its own for each thing that is tested of libdbpool. */
#ifndef POOL_CLIENT_H
#define POOL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "dbpool.h"

/* What does not hold ends the process, which fails the test. */
#define CHECK(condition)                                                                           \
	((condition) ? (void)0                                                                     \
		     : (fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__,            \
				#condition, dbpool_error()),                                       \
			       fflush(NULL), _Exit(99)))

struct role {
	const char *name;
	int (*run)(const char *argument); /* "" for none; the exit status */
};

/* By its name; NULL when there is none. */
const struct role *role_find(const char *name);

extern const struct role roles_life[], roles_borrow[], roles_hurry[], roles_recover[], roles_end[],
	roles_own[], roles_traps[], roles_late[], roles_hidden[], roles_route[];

/* What the roles start their pool with: the server, and an application_name of their own. */
struct dbpool_config role_config(void);

/* Starts the default pool, which must succeed. */
void role_start(const struct dbpool_config *config);

/* Tells the test: one line on stdout. */
void role_say(const char *line);

/* Waits for ever, for a signal. */
void role_pause(void) __attribute__((noreturn));

/* Ends the process when it has waited for too long. */
void role_wait(bool (*holds)(void *data), void *data);

/* Runs a statement on a connection, which must succeed, and returns its first value as a number. */
long role_number(PGconn *conn, const char *sql);
void role_exec(PGconn *conn, const char *sql);

/* The server's word: how many sessions this process has, over a connection of its own. */
long role_sessions(void);

/* A connection that is not the pool's, to watch the server with; LIVE_POOL_SESSIONS leaves it out.
 */
PGconn *role_connect(void);

/* Runs one statement over such a connection. */
long role_aside(const char *sql);

int64_t role_now(void); /* microseconds, monotonic */

struct dbpool_stats role_stats(void);

/* How often each kind of event was told, and the latest text of it. */
int role_events(enum dbpool_event_kind kind);
const char *role_event_text(enum dbpool_event_kind kind);

/* Starts n threads and waits for their end. */
void role_threads(int n, void *(*run)(void *data), void *data);

#endif
