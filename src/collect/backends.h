/* The sessions of the server: one statement a refresh over the one session we hold.
 *
 * Works from PostgreSQL 12 to 18 and needs no privilege: what our role may not see is NULL. */
#ifndef COLLECT_BACKENDS_H
#define COLLECT_BACKENDS_H

#include <stdbool.h>
#include <stdint.h>

struct activity;
struct backends;
struct session;

struct backends_options {
	bool no_query_text; /* statements are looked at for LISTEN, and then forgotten */
	void *data;
	void (*published)(void *data); /* backends_latest() or backends_error() is new */
};

/* The session must outlive it. Never NULL. */
struct backends *backends_new(struct session *session, const struct backends_options *options);

/* NULL is allowed. */
void backends_free(struct backends *backends);

/* Sends the statement. False when there is no connection, or the one before is not answered. */
bool backends_refresh(struct backends *backends);

/* An answer is being waited for, since this instant of the monotonic clock; −1 when none is. */
int64_t backends_asked_at(const struct backends *backends);

/* The last whole answer: borrowed, NULL before the first; activity_ref() keeps it. */
const struct activity *backends_latest(const struct backends *backends);

/* Why the last refresh brought nothing, one clean line; NULL when it did. */
const char *backends_error(const struct backends *backends);

#endif
