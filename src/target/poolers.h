/* A target's PgBouncers, any number of them. A round asks all of them at the same time. */
#ifndef TARGET_POOLERS_H
#define TARGET_POOLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct bouncer;
struct params;
struct poolers;
struct source_state;

struct poolers_callbacks {
	void *data;
	/* A PgBouncer is connected now and can be asked. */
	void (*ready)(void *data);
	/* Each PgBouncer that poolers_refresh() asked has answered, or its connection was lost. */
	void (*answered)(void *data);
	/* The state of a source has changed. */
	void (*changed)(void *data);
};

/* One PgBouncer for each admin console; the parameters are copied. Never NULL. */
struct poolers *poolers_new(uv_loop_t *loop, const struct params *consoles, size_t n_consoles,
	const struct poolers_callbacks *callbacks) __attribute__((returns_nonnull));

/* Begins to connect. */
void poolers_start(struct poolers *poolers);

/* NULL is allowed. */
void poolers_free(struct poolers *poolers);

size_t poolers_count(const struct poolers *poolers);

/* Asks every PgBouncer that can be asked; false, and no callback, if there is none. */
bool poolers_refresh(struct poolers *poolers) __attribute__((warn_unused_result));

/* PgBouncers' answers belong to the rows that are asked for after them: call poolers_mark() before
 * asking for rows, and poolers_publish() when the rows have arrived. A round that ends in between
 * belongs to the next rows. */
void poolers_mark(struct poolers *poolers);
void poolers_publish(struct poolers *poolers);

/* Each array has room for poolers_count() items: the published blocks (borrowed; NULL for none);
 * the sources; the ports of the PgBouncers that were reached, whose number is returned. */
void poolers_published(const struct poolers *poolers, const struct bouncer **ret_bouncers);
void poolers_sources(const struct poolers *poolers, int64_t now, int64_t stale_after,
	struct source_state *ret_sources);
size_t poolers_ports(const struct poolers *poolers, uint16_t *ret_ports);

#endif
