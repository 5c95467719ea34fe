/* Lists pages and PgBouncer's pools together. */
#include "analyze/pools.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"

static bool has_contents(const struct pool_page *page)
{
	return page->status == POOL_PAGE_LIVE || page->status == POOL_PAGE_DEAD;
}

static void list_pages(struct assessment *assessment, const struct pool_page *pages, size_t n_pages)
{
	for (size_t i = 0; i < n_pages; i++) {
		const struct pool_page *page = &pages[i];
		if (!has_contents(page))
			continue;
		assessment->pools[assessment->n_pools++] = (struct pool){
			.kind = POOL_DBPOOL,
			.name = page->name,
			.page = page,
			.age = instant_elapsed(page->read_at, assessment->now),
			.process = NO_PROCESS,
		};
	}
}

static void list_bouncer(struct assessment *assessment, const struct bouncer *bouncer)
{
	for (size_t i = 0; i < bouncer->n_pools; i++) {
		const struct bouncer_pool *pool = &bouncer->pools[i];
		assessment->pools[assessment->n_pools++] = (struct pool){
			.kind = POOL_PGBOUNCER,
			.name = arena_printf(assessment->arena, "%s/%s",
				pool->database ? pool->database : "?",
				pool->user ? pool->user : "?"),
			.console = bouncer,
			.bouncer = pool,
			.age = instant_elapsed(bouncer->taken_at, assessment->now),
			.process = NO_PROCESS,
		};
	}
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* Compares a / b with c / d. An unknown maximum counts as large. */
static int compare_fullness(const struct pool *a, const struct pool *b)
{
	int64_t x = pool_in_use(a), x_max = pool_max(a), y = pool_in_use(b), y_max = pool_max(b);
	if (x_max <= 0)
		x_max = INT16_MAX;
	if (y_max <= 0)
		y_max = INT16_MAX;
	int64_t left = x * y_max, right = y * x_max;
	return left > right ? -1 : left < right;
}

/* Pools with waiters come first, then the fullest; equal ones keep their order. */
static int compare_pools(const void *left, const void *right)
{
	const struct pool *a = left, *b = right;
	int order = (pool_waiting(b) > 0) - (pool_waiting(a) > 0);
	if (!order)
		order = compare_fullness(a, b);
	if (!order)
		order = (int)a->kind - (int)b->kind;
	if (!order)
		order = compare_text(a->name, b->name);
	if (!order && a->page && b->page)
		order = (a->page->pid > b->page->pid) - (a->page->pid < b->page->pid);
	if (!order && a->console && b->console)
		order = compare_text(a->console->name, b->console->name);
	return order;
}

void pools_list(struct assessment *assessment)
{
	const struct pool_pages *pages = assessment->pages;
	size_t most = pages ? pages->count : 0;
	for (size_t i = 0; i < assessment->n_hosts; i++)
		most += assessment->hosts[i].latest ? assessment->hosts[i].latest->n_pages : 0;
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		most += assessment->bouncers[i]->n_pools;
	assessment->pools = arena_array(assessment->arena, most, sizeof(*assessment->pools));
	if (pages)
		list_pages(assessment, pages->items, pages->count);
	for (size_t i = 0; i < assessment->n_hosts; i++) {
		const struct host_ends *latest = assessment->hosts[i].latest;
		if (latest)
			list_pages(assessment, latest->pages, latest->n_pages);
	}
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		list_bouncer(assessment, assessment->bouncers[i]);
	qsort(assessment->pools, assessment->n_pools, sizeof(*assessment->pools), compare_pools);
}

static const struct pool *find_pool(
	const struct assessment *assessment, const struct bouncer_pool *wanted)
{
	for (size_t i = 0; i < assessment->n_pools; i++)
		if (assessment->pools[i].bouncer == wanted)
			return &assessment->pools[i];
	return NULL;
}

/* The block that contains a server connection. */
static const struct bouncer *block_of(
	const struct assessment *assessment, const struct bouncer_server *server)
{
	for (size_t i = 0; i < assessment->n_bouncers; i++) {
		const struct bouncer *bouncer = assessment->bouncers[i];
		if (server >= bouncer->servers && server < bouncer->servers + bouncer->n_servers)
			return bouncer;
	}
	return NULL;
}

static const struct pool *pool_at(
	const struct assessment *assessment, const struct bouncer *bouncer, uint32_t pool)
{
	if (!bouncer || pool == BOUNCER_NONE)
		return NULL;
	return find_pool(assessment, &bouncer->pools[pool]);
}

void pools_assign(struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		struct connection *connection = &assessment->connections[i];
		const struct bouncer_server *server = connection->bouncer_server;
		if (server && !connection->pool)
			connection->pool =
				pool_at(assessment, block_of(assessment, server), server->pool);
	}
	for (size_t i = 0; i < assessment->n_waiters; i++) {
		struct waiter *waiter = &assessment->waiters[i];
		waiter->pool = pool_at(assessment, waiter->console, waiter->client->pool);
	}
}

void pools_count(struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (!connection->pool || !connection->in_scope)
			continue;
		struct pool *pool = &assessment->pools[connection->pool - assessment->pools];
		pool->connections++;
		pool->leaked += connection->verdict.status == STATUS_LEAKED;
	}
}
