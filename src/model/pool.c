/* The pages block's life, and what both kinds of pools have in common. */
#include "model/pool.h"

#include "base/arena.h"
#include "base/instant.h"

struct pool_pages *pool_pages_new(void)
{
	struct arena *arena = arena_new();
	struct pool_pages *pages = arena_alloc(arena, sizeof(*pages));
	*pages = (struct pool_pages){ .arena = arena, .refs = 1, .read_at = INSTANT_UNKNOWN };
	return pages;
}

struct pool_pages *pool_pages_ref(const struct pool_pages *pages)
{
	struct pool_pages *shared = (struct pool_pages *)pages;
	shared->refs++;
	return shared;
}

void pool_pages_unref(const struct pool_pages *pages)
{
	struct pool_pages *shared = (struct pool_pages *)pages;
	if (shared && --shared->refs == 0)
		arena_free(shared->arena);
}

const char *pool_page_status_name(enum pool_page_status status)
{
	static const char *const names[] = {
		[POOL_PAGE_LIVE] = "live",
		[POOL_PAGE_DEAD] = "dead",
		[POOL_PAGE_DAMAGED] = "damaged",
		[POOL_PAGE_FOREIGN] = "foreign",
		[POOL_PAGE_TOO_NEW] = "too new",
	};
	return names[status];
}

const char *pool_slot_state_name(enum pool_slot_state state)
{
	static const char *const names[] = {
		[POOL_SLOT_EMPTY] = "empty",
		[POOL_SLOT_RESERVE] = "reserve",
		[POOL_SLOT_IN_USE] = "in_use",
	};
	return names[state];
}

const char *pool_kind_name(enum pool_kind kind)
{
	return kind == POOL_DBPOOL ? "dbpool" : "pgbouncer";
}

int pool_in_use(const struct pool *pool)
{
	if (pool->kind == POOL_PGBOUNCER)
		return pool->bouncer->servers_active;
	return pool->page->status == POOL_PAGE_LIVE ? pool->page->in_use : 0;
}

int pool_max(const struct pool *pool)
{
	return pool->kind == POOL_PGBOUNCER ? pool->bouncer->servers_max : pool->page->max;
}

int pool_waiting(const struct pool *pool)
{
	return pool->kind == POOL_PGBOUNCER ? pool->bouncer->clients_waiting : pool->page->waiting;
}
