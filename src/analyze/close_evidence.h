/* Determines from a record whether the application closed its sessions properly (Terminate message)
 * or abandoned them, and how many sessions it opened that no sample shows. Pure.
 *
 * PostgreSQL 14 and later counts abandoned sessions in pg_stat_database, but only for a whole
 * database. Sessions of other clients that ended during the shutdown may account for some of them.
 * Those beyond that number are the application's. */
#ifndef ANALYZE_CLOSE_EVIDENCE_H
#define ANALYZE_CLOSE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/shutdown.h"

/* The first version that counts sessions, and the first whose counts are those of this moment. */
#define COUNTS_SINCE  140000
#define AT_ONCE_SINCE 150000

enum close_evidence close_evidence_find(const struct shutdown_record *record);

/* How many sessions the server counted after the signal that are neither known connections of the
 * application nor known foreign sessions. Where it is not certain that a session was counted before
 * the signal, the number lies between the two. */
struct unseen_sessions {
	int64_t least, most; /* −1: not known */
};

struct unseen_sessions close_evidence_unseen(const struct shutdown_record *record);

/* True if unseen sessions are the application's even where no socket was seen: no foreign session
 * is, or was, in its databases, and the counts before the signal are those of just that moment. */
bool close_evidence_is_alone(const struct shutdown_record *record);

#endif
