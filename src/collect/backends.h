/* The sessions of the server, read with one statement in each refresh over dbtop's only session.
 *
 * Works from PostgreSQL 12 to 18 and needs no privilege: columns that our role may not see are
 * NULL. */
#ifndef COLLECT_BACKENDS_H
#define COLLECT_BACKENDS_H

#include <stdbool.h>
#include <stdint.h>

struct activity;
struct backends;
struct session;

struct backends_options {
	bool no_query_text; /* query texts are read for LISTEN and backups, and then dropped */
	void *data;
	void (*published)(void *data); /* backends_latest() or backends_error() is new */
};

/* The session must outlive it. Never NULL. */
struct backends *backends_new(struct session *session, const struct backends_options *options);

/* NULL is allowed. */
void backends_free(struct backends *backends);

/* Sends the statement. False if there is no connection, or the last statement is not answered yet.
 */
bool backends_refresh(struct backends *backends);

/* The monotonic instant at which the unanswered statement was sent; −1 if there is none. */
int64_t backends_asked_at(const struct backends *backends);

/* The last complete answer: borrowed, NULL before the first; activity_ref() keeps it. */
const struct activity *backends_latest(const struct backends *backends);

/* What the last answer lacks and why, one clean line; NULL if it is whole. */
const char *backends_lacks(const struct backends *backends);

/* Why the last refresh failed, one clean line; NULL if it succeeded. */
const char *backends_error(const struct backends *backends);

#endif
