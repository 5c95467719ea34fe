/* What the watch asks the server about the application's sessions: the counts of their databases,
 * which of them are writing, and what became of those writes. */
#ifndef WATCH_SERVER_QUERIES_H
#define WATCH_SERVER_QUERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model/shutdown.h"

struct server_queries;
struct session;

struct server_queries_callbacks {
	void *data;
	void (*counted)(void *data, struct session_counts counts);
	/* Sessions of all databases, and the server's clock at that count. */
	void (*counted_start)(void *data, int64_t sessions, int64_t at);
	/* What is known of a transaction of this session that has written. */
	void (*wrote)(
		void *data, int32_t backend, int64_t backend_start, enum write_outcome outcome);
	/* No answer is awaited any more. */
	void (*answered)(void *data);
};

/* Never NULL. The session must outlive the result. */
struct server_queries *server_queries_new(uv_loop_t *loop, struct session *session,
	const struct server_queries_callbacks *callbacks) __attribute__((returns_nonnull));

/* No callback runs after this. The handle closes in the loop's next turn. NULL is allowed. */
void server_queries_free(struct server_queries *queries);

/* Asks how many sessions of all databases were counted up to now; does nothing before PostgreSQL
 * 15, whose counts are late. */
void server_queries_count_start(struct server_queries *queries, int32_t server_version);

/* Asks for the counts of the record's databases, if the server has them. Before PostgreSQL 15 they
 * are up to half a second old: asks again until they are of a moment after this call. The record
 * must live until the answer. */
void server_queries_counts(struct server_queries *queries, const struct shutdown_record *record);

/* Asks which transactions of the record's connections have written by now, and remembers them.
 *
 * A session may have several transactions, one after the other: each is remembered. The last may be
 * the server's own, which drops the temporary tables of an ended session. */
void server_queries_writes(struct server_queries *queries, const struct shutdown_record *record);

/* Asks whether the remembered transactions were committed or rolled back. */
void server_queries_outcomes(struct server_queries *queries);

/* True while answers are awaited. */
bool server_queries_are_awaited(const struct server_queries *queries);

/* Awaits no answer any more. */
void server_queries_give_up(struct server_queries *queries);

#endif
