/* A round is over when every PgBouncer that was asked has answered. */
#include "target/poolers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "collect/pgbouncer.h"
#include "model/assessment.h"
#include "model/bouncer.h"
#include "session/params.h"

struct poolers {
	struct poolers_callbacks callbacks;
	struct pooler *items;
	size_t count;
};

struct pooler {
	struct poolers *all;
	struct pgbouncer *pgbouncer;
	bool asked; /* in the current round, and has not answered yet */
	const struct bouncer *marked, *published;
};

static void on_ready(void *data)
{
	const struct pooler *pooler = data;
	pooler->all->callbacks.ready(pooler->all->callbacks.data);
}

static bool is_waited_for(const struct poolers *poolers)
{
	for (size_t i = 0; i < poolers->count; i++)
		if (poolers->items[i].asked)
			return true;
	return false;
}

static void on_published(void *data)
{
	struct pooler *pooler = data;
	pooler->asked = false;
	if (!is_waited_for(pooler->all))
		pooler->all->callbacks.answered(pooler->all->callbacks.data);
}

static void on_changed(void *data)
{
	const struct pooler *pooler = data;
	pooler->all->callbacks.changed(pooler->all->callbacks.data);
}

struct poolers *poolers_new(uv_loop_t *loop, const struct params *consoles, size_t n_consoles,
	const struct poolers_callbacks *callbacks)
{
	struct poolers *poolers = mem_alloc(sizeof(*poolers));
	poolers->callbacks = *callbacks;
	poolers->count = n_consoles;
	poolers->items = mem_alloc(n_consoles * sizeof(*poolers->items));
	for (size_t i = 0; i < n_consoles; i++) {
		struct pooler *pooler = &poolers->items[i];
		const struct pgbouncer_callbacks own = {
			.data = pooler,
			.ready = on_ready,
			.published = on_published,
			.changed = on_changed,
		};
		pooler->all = poolers;
		pooler->pgbouncer = pgbouncer_new(loop, &consoles[i], &own);
	}
	return poolers;
}

void poolers_start(struct poolers *poolers)
{
	for (size_t i = 0; i < poolers->count; i++)
		pgbouncer_start(poolers->items[i].pgbouncer);
}

void poolers_free(struct poolers *poolers)
{
	if (!poolers)
		return;
	for (size_t i = 0; i < poolers->count; i++) {
		bouncer_unref(poolers->items[i].marked);
		bouncer_unref(poolers->items[i].published);
		pgbouncer_free(poolers->items[i].pgbouncer);
	}
	free(poolers->items);
	free(poolers);
}

size_t poolers_count(const struct poolers *poolers)
{
	return poolers->count;
}

bool poolers_refresh(struct poolers *poolers)
{
	/* set before asking: a PgBouncer whose connection is lost at once must not end the round */
	for (size_t i = 0; i < poolers->count; i++)
		poolers->items[i].asked = true;
	bool asked = false;
	for (size_t i = 0; i < poolers->count; i++) {
		if (pgbouncer_refresh(poolers->items[i].pgbouncer))
			asked = true;
		else
			poolers->items[i].asked = false;
	}
	return asked && is_waited_for(poolers);
}

static void replace(const struct bouncer **held, const struct bouncer *by)
{
	const struct bouncer *before = *held;
	*held = by ? bouncer_ref(by) : NULL;
	bouncer_unref(before);
}

void poolers_mark(struct poolers *poolers)
{
	for (size_t i = 0; i < poolers->count; i++)
		replace(&poolers->items[i].marked, pgbouncer_latest(poolers->items[i].pgbouncer));
}

void poolers_publish(struct poolers *poolers)
{
	for (size_t i = 0; i < poolers->count; i++)
		replace(&poolers->items[i].published, poolers->items[i].marked);
}

void poolers_published(const struct poolers *poolers, const struct bouncer **ret_bouncers)
{
	for (size_t i = 0; i < poolers->count; i++)
		ret_bouncers[i] = poolers->items[i].published;
}

void poolers_sources(const struct poolers *poolers, int64_t now, int64_t stale_after,
	struct source_state *ret_sources)
{
	for (size_t i = 0; i < poolers->count; i++)
		ret_sources[i] = pgbouncer_source(poolers->items[i].pgbouncer, now, stale_after);
}

size_t poolers_ports(const struct poolers *poolers, uint16_t *ret_ports)
{
	size_t count = 0;
	for (size_t i = 0; i < poolers->count; i++) {
		const struct bouncer *latest = pgbouncer_latest(poolers->items[i].pgbouncer);
		if (latest && latest->port)
			ret_ports[count++] = latest->port;
	}
	return count;
}
