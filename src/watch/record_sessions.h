/* What an assessment shows of the server's sessions, in the record. */
#ifndef WATCH_RECORD_SESSIONS_H
#define WATCH_RECORD_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/shutdown.h"

struct arena;
struct assessment;
struct session_match;

/* How an assessment is read. Instants are monotonic. */
struct session_reading {
	const struct assessment *assessment;
	const struct session_match *matches; /* of the assessment: analyze/session_owner.h */
	size_t n_matches;
	int64_t now;
	int64_t to_local; /* what converts the server's instants to the monotonic clock */
	bool armed;       /* sessions that PgBouncer lends are not recorded yet */
	bool is_exact;    /* no scan was running when the signal was sent */
};

/* Finds the application's sessions in the assessment, which must have activity. `by_arrival`: as in
 * session_owner_match(). Borrows the assessment and the arena; the flags are false. */
struct session_reading session_reading_make(const struct shutdown_record *record,
	const struct assessment *assessment, bool by_arrival, struct arena *arena);

/* Adds the matches at the end of the connections, and copies what the server shows of each
 * connection. */
void record_sessions(struct shutdown_record *record, const struct session_reading *reading);

/* Notes which sessions the server does not have any more. Call it once for each answer of the
 * server. */
void record_missing(struct shutdown_record *record, const struct session_reading *reading);

/* Updates the list of foreign sessions in the application's databases. */
void record_foreign(struct shutdown_record *record, const struct assessment *assessment);

/* The backend's process has ended. */
void record_backend_ended(struct shutdown_record *record, int32_t pid, int64_t at);

/* Notes which sessions are counted by now: a session that the server has shown with a state. It is
 * counted when it has connected, just before it gets its first state. */
void record_baseline(struct shutdown_record *record);

/* Adds connections that were closed before their session was seen, if the server counted their
 * sessions: then they were not cancel requests. Notes whether there may be more. */
void record_unseen(struct shutdown_record *record);

/* What is known of a write of this session. A transaction that was rolled back counts, whatever the
 * later ones did. */
void record_write(struct shutdown_record *record, int32_t backend, int64_t backend_start,
	enum write_outcome outcome);

/* True if processes have to be scanned: where the ports of the two ends do not identify a session,
 * the processes that hold the ends do. `now` is monotonic. */
bool record_needs_scan(const struct shutdown_record *record, int64_t now);

/* True if only the server can tell more: whose session a new connection is, whether a closed
 * connection's session has ended, what a running session does. */
bool record_needs_answers(
	const struct shutdown_record *record, const struct assessment *assessment);

#endif
