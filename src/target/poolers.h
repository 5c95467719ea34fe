/* A target's PgBouncers, any number of them, asked all at once. */
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
	/* One can be asked that could not before. */
	void (*ready)(void *data);
	/* All that poolers_refresh() asked have answered, or are lost. */
	void (*answered)(void *data);
	/* A source tells something new. */
	void (*changed)(void *data);
};

/* The parameters are copied, one admin console each. Never NULL. */
struct poolers *poolers_new(uv_loop_t *loop, const struct params *consoles, size_t n_consoles,
	const struct poolers_callbacks *callbacks) __attribute__((returns_nonnull));

/* Begins to connect. */
void poolers_start(struct poolers *poolers);

/* NULL is allowed. */
void poolers_free(struct poolers *poolers);

size_t poolers_count(const struct poolers *poolers);

/* Asks those that can be asked; false, and no callback, when there is none. */
bool poolers_refresh(struct poolers *poolers) __attribute__((warn_unused_result));

/* What they tell goes with the rows that are asked for next: poolers_mark() before that, and
 * poolers_publish() when the rows are there. A round that ends in between is for the next ones. */
void poolers_mark(struct poolers *poolers);
void poolers_publish(struct poolers *poolers);

/* Room for poolers_count() each: the published blocks, NULL for none, borrowed; the sources; the
 * ports of those that were reached, whose number is returned. */
void poolers_published(const struct poolers *poolers, const struct bouncer **ret_bouncers);
void poolers_sources(const struct poolers *poolers, int64_t now, int64_t stale_after,
	struct source_state *ret_sources);
size_t poolers_ports(const struct poolers *poolers, uint16_t *ret_ports);

#endif
