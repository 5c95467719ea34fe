/* One PgBouncer's admin console: its pools, clients and servers, refreshed in one round of
 * questions over one persistent connection. It only ever asks (SHOW): PgBouncer's KILL leaves a
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
	/* Connected, or again: it may be asked. */
	void (*ready)(void *data);
	/* A round ended, well or not. */
	void (*published)(void *data);
	/* pgbouncer_source() tells something new. */
	void (*changed)(void *data);
};

/* The parameters are copied. Never NULL; it does nothing before pgbouncer_start(). */
struct pgbouncer *pgbouncer_new(uv_loop_t *loop, const struct params *params,
	const struct pgbouncer_callbacks *callbacks) __attribute__((returns_nonnull));

/* Begins to connect. */
void pgbouncer_start(struct pgbouncer *pgbouncer);

/* The handles close in the loop's next turns. NULL is allowed. */
void pgbouncer_free(struct pgbouncer *pgbouncer);

/* Asks all its questions once; `published` follows. False, and no callback, when there is no
 * connection or the last round is still under way. */
bool pgbouncer_refresh(struct pgbouncer *pgbouncer) __attribute__((warn_unused_result));

/* Borrowed: bouncer_ref() it to keep it. NULL before the first round is done. */
const struct bouncer *pgbouncer_latest(const struct pgbouncer *pgbouncer);

/* How it stands; the strings live until the next change. Rows older than `stale_after` µs are
 * stale. */
struct source_state pgbouncer_source(
	const struct pgbouncer *pgbouncer, int64_t now, int64_t stale_after);

#endif
