/* Asks pg_stat_database now and then how sessions ended: a small statement of its own, so that a
 * refresh costs no more. Its counts exist since PostgreSQL 14. */
#ifndef COLLECT_SESSION_ENDS_H
#define COLLECT_SESSION_ENDS_H

struct ends_watch;
struct session;
struct session_ends;

/* The session must outlive it. Never NULL. */
struct ends_watch *ends_watch_new(struct session *session);

/* NULL is allowed. */
void ends_watch_free(struct ends_watch *watch);

/* Asks, unless it is too early, the last answer has not arrived, or the server is too old. */
void ends_watch_refresh(struct ends_watch *watch);

/* Borrowed: session_ends_ref() keeps it. NULL before the first answer, and when the last statement
 * failed. */
const struct session_ends *ends_watch_latest(const struct ends_watch *watch);

#endif
