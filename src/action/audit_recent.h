/* Reads the end of the audit log. */
#ifndef ACTION_AUDIT_RECENT_H
#define ACTION_AUDIT_RECENT_H

#include <stddef.h>
#include <stdint.h>

struct guard_history;

/* The last bytes of the log, at most so many, which the caller frees; the first line may be cut.
 * NULL with errno set if it cannot be opened. */
char *audit_read_tail(const char *path, size_t most, size_t *ret_length);

/* Lets a guard that was started again go on with the limit of the one before. Notes the leaked
 * sessions of this server that were to be ended in the last minute, by whatever
 * dbtop writes to this log. `now` is the wall clock's, `monotonic` the same moment. Either name may
 * be NULL, and the log may be missing: then nothing is noted. */
void audit_recall(const char *path, const char *server, struct guard_history *history, int64_t now,
	int64_t monotonic);

#endif
