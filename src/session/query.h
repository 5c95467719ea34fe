/* A statement to run, and how its result is reported. */
#ifndef SESSION_QUERY_H
#define SESSION_QUERY_H

#include <libpq-fe.h>
#include <stdint.h>

/* Called with a statement's result. result is NULL when the connection was lost before the answer
 * was complete; it belongs to the session and is freed after the call. sent_at is our wall clock
 * when the statement was sent; INSTANT_UNKNOWN when it was not sent. */
typedef void session_done_fn(void *data, const PGresult *result, int64_t sent_at);

/* A statement. Results are binary, or text on a console. All pointers are copied. */
struct session_statement {
	const char *sql;
	int n_params;
	const char *const *params; /* text format; NULL is SQL's NULL */
};

#endif
