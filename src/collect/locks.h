/* Who waits for whose locks: a separate statement over pg_locks, for the screens that show locks.
 *
 * It is never part of a refresh. pg_blocking_pids() stops the server's lock manager for a moment.
 * Therefore it is called only for backends that wait, at most every second, less often if the
 * answer takes long, and with a statement_timeout of its own. */
#ifndef COLLECT_LOCKS_H
#define COLLECT_LOCKS_H

#include <stdint.h>

struct lock_table;
struct locks;
struct session;

struct locks_options {
	void *data;
	void (*published)(void *data); /* locks_latest() is new */
};

/* The session must outlive it. Never NULL. */
struct locks *locks_new(struct session *session, const struct locks_options *options);

/* NULL is allowed. */
void locks_free(struct locks *locks);

/* Asks, unless it is too early or the last answer has not arrived. Also lists all locks of the
 * session `subject` (0: none); a changed subject is asked for at once. */
void locks_refresh(struct locks *locks, int32_t subject);

/* Publishes an error if the first answer about the subject has been missing for more than `timeout`
 * µs. It still counts when it arrives. An earlier answer stays, with its age. */
void locks_check(struct locks *locks, int64_t timeout);

/* Forgets the last answer, because no screen shows locks any more. */
void locks_forget(struct locks *locks);

/* Borrowed: lock_table_ref() keeps it. NULL before the first answer; its error is set if the last
 * statement failed. */
const struct lock_table *locks_latest(const struct locks *locks);

#endif
