/* The queue of statements that wait for the connection. */
#ifndef SESSION_STATEMENT_H
#define SESSION_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "session/query.h"

struct statement {
	struct statement *next;
	char *sql;
	int n_params;
	char **params;
	session_done_fn *done; /* NULL after statement_forget() */
	void *data;
	int64_t sent_at;        /* wall clock; INSTANT_UNKNOWN while it waits */
	int64_t sent_monotonic; /* for the latency; valid when sent_at is */
};

struct statement_queue {
	struct statement *first, **last;
};

void statement_queue_init(struct statement_queue *queue);
void statement_queue_deinit(struct statement_queue *queue);

/* Adds a copy at the end. */
void statement_push(struct statement_queue *queue, const struct session_statement *from,
	session_done_fn *done, void *data);

/* Removes the first statement, which the caller frees; NULL when there is none. */
struct statement *statement_pop(struct statement_queue *queue);
void statement_free(struct statement *statement);

/* Drops the statements of `data` that were not sent. One that was sent keeps its place, without its
 * callback. */
void statement_forget(struct statement_queue *queue, const void *data);

#endif
