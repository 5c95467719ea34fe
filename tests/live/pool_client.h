/* The roles of pool_client: each is a process that tests one property of libdbpool. */
#ifndef POOL_CLIENT_H
#define POOL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "dbpool.h"

/* Ends the process, which fails the test, if the condition is false. */
#define CHECK(condition)                                                                           \
	((condition) ? (void)0                                                                     \
		     : (fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__,            \
				#condition, dbpool_error()),                                       \
			       fflush(NULL), _Exit(99)))

struct role {
	const char *name;
	int (*run)(const char *argument); /* "" for none; the exit status */
};

/* Finds a role by its name; NULL when there is none. */
const struct role *role_find(const char *name);

extern const struct role roles_life[], roles_borrow[], roles_hurry[], roles_recover[], roles_end[],
	roles_own[], roles_traps[], roles_late[], roles_hidden[], roles_route[], roles_loss[];

/* Releases a lease whose session has ended; the pool may have noticed that already. */
void role_release_ended(struct dbpool_lease *lease);

/* The configuration with which the roles start their pool: the server, and their own
 * application_name. */
struct dbpool_config role_config(void);

/* Starts the default pool, which must succeed. */
void role_start(const struct dbpool_config *config);

/* Writes one line to stdout, for the test. */
void role_say(const char *line);

/* Waits forever, until a signal ends the process. */
void role_pause(void) __attribute__((noreturn));

/* Waits until `holds` returns true; ends the process after a time limit. */
void role_wait(bool (*holds)(void *data), void *data);

/* Runs a statement on a connection, which must succeed, and returns its first value as a number. */
long role_number(PGconn *conn, const char *sql);
void role_exec(PGconn *conn, const char *sql);

/* The number of this process's sessions, asked from the server over a separate connection. */
long role_sessions(void);

/* Opens a connection outside the pool, to watch the server; LIVE_POOL_SESSIONS does not count
 * it. */
PGconn *role_connect(void);

/* Runs one statement over such a connection. */
long role_aside(const char *sql);

int64_t role_now(void); /* microseconds, monotonic */

struct dbpool_stats role_stats(void);

/* How often each kind of event was reported, and its latest text. */
int role_events(enum dbpool_event_kind kind);
const char *role_event_text(enum dbpool_event_kind kind);

/* Starts n threads and waits for their end. */
void role_threads(int n, void *(*run)(void *data), void *data);

#endif
