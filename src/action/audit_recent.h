/* What the audit log says of the last minute: a guard that was started again goes on with the limit
 * of the one before. */
#ifndef ACTION_AUDIT_RECENT_H
#define ACTION_AUDIT_RECENT_H

#include <stdint.h>

struct guard_history;

/* Notes the leaked sessions of this server that were to be ended in the last minute, by whatever
 * dbtop writes to this log. `now` is the wall clock's, `monotonic` the same moment. Either name may
 * be NULL, and the log may be missing: then nothing is noted. */
void audit_recall(const char *path, const char *server, struct guard_history *history, int64_t now,
	int64_t monotonic);

#endif
