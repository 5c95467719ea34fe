/* One PgBouncer's admin console: its pools, clients and servers, refreshed with one round of
 * questions over one persistent connection. It only sends SHOW: PgBouncer's KILL would leave a
 * database paused. */
#ifndef COLLECT_PGBOUNCER_H
#define COLLECT_PGBOUNCER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct bouncer;
struct params;
struct pgbouncer;
struct source_state;

struct pgbouncer_callbacks {
	void *data;
	/* Connected or reconnected: questions can be sent. */
	void (*ready)(void *data);
	/* A round has ended, with success or not. */
	void (*published)(void *data);
	/* pgbouncer_source() has changed. */
	void (*changed)(void *data);
};

/* The parameters are copied. Never NULL; the connection is opened by pgbouncer_start(). */
struct pgbouncer *pgbouncer_new(uv_loop_t *loop, const struct params *params,
	const struct pgbouncer_callbacks *callbacks) __attribute__((returns_nonnull));

/* Begins to connect. */
void pgbouncer_start(struct pgbouncer *pgbouncer);

/* The handles close in the loop's next turns. NULL is allowed. */
void pgbouncer_free(struct pgbouncer *pgbouncer);

/* Sends all questions once; `published` follows. False, and no callback, if there is no connection
 * or the last round has not ended. */
bool pgbouncer_refresh(struct pgbouncer *pgbouncer) __attribute__((warn_unused_result));

/* Borrowed: bouncer_ref() keeps it. NULL until the first round has ended. */
const struct bouncer *pgbouncer_latest(const struct pgbouncer *pgbouncer);

/* The state of the source; its strings are valid until the next change. Rows older than
 * `stale_after` µs are stale. */
struct source_state pgbouncer_source(
	const struct pgbouncer *pgbouncer, int64_t now, int64_t stale_after);

#endif
