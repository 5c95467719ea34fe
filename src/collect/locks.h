/* Who waits for whose locks: a statement of its own over pg_locks, for the pages that show it.
 *
 * It is never part of the refresh. pg_blocking_pids() stops the server's lock manager for a moment,
 * so it is asked for those that wait only, at most every second, less often when the answer takes
 * long, and under a statement_timeout of its own. */
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

/* Asks, unless it is too early or the last answer is still awaited. All locks of the session
 * `subject` are listed, too, 0 for none; another subject than the last one is never too early. */
void locks_refresh(struct locks *locks, int32_t subject);

/* Forgets the last answer: nobody looks any more. */
void locks_forget(struct locks *locks);

/* Borrowed: lock_table_ref() keeps it. NULL before the first answer; with an error set when the
 * last look brought nothing. */
const struct lock_table *locks_latest(const struct locks *locks);

#endif
