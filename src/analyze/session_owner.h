/* Decides whose session it is: which of the server's sessions are those of the application. Pure.
 *
 * A session is the application's if its client end (address and port, or the two ends of a Unix
 * socket) is one of the application's sockets, or if the assessment finds one of the application's
 * processes at its other end (a stats page, PgBouncer, a proxy). After that it is identified by pid
 * and start time, whatever happens to the client. */
#ifndef ANALYZE_SESSION_OWNER_H
#define ANALYZE_SESSION_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct assessment;
struct connection;
struct shutdown_record;

#define NO_SOCKET SIZE_MAX

enum session_owner {
	OWNER_SOCKET,  /* one of its sockets is the client end */
	OWNER_PROCESS, /* one of its processes holds the client end */
	OWNER_LENT,    /* a session of PgBouncer in which it has a transaction open */
	OWNER_ARRIVAL, /* presumed: the session began when a connection was opened */
};

/* A session of the application that the record does not have yet. */
struct session_match {
	const struct connection *row;
	size_t socket;   /* index into the record's sockets, or NO_SOCKET */
	int32_t process; /* the pid of the process at the other end; 0: not known */
	enum session_owner owner;
};

/* Returns the matches, in the arena. `to_local` converts the server's instants to the monotonic
 * clock by addition; INSTANT_UNKNOWN if that is not possible. `by_arrival`: also match by time
 * where something hides addresses. */
const struct session_match *session_owner_match(const struct shutdown_record *record,
	const struct assessment *assessment, int64_t to_local, bool by_arrival, struct arena *arena,
	size_t *ret_count);

/* The server's instant on the monotonic clock; INSTANT_UNKNOWN if either is not known. */
int64_t session_owner_local(int64_t instant, int64_t to_local);

/* Why no verdict is possible, as far as sessions are concerned: an established connection has no
 * session that the server shows. NULL: one is possible. */
const char *session_owner_blind(
	const struct shutdown_record *record, const struct assessment *assessment);

#endif
