/* Rows of the schema become pools, slots, links and waiters. */
#include "report/decode_pools.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "report/schema.h"

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int64_t instant_of_age(const struct assessment *assessment, int64_t age)
{
	return age < 0 ? INSTANT_UNKNOWN : assessment->now - age;
}

/* Finds the block of that address or adds one; there is room for it. */
static struct bouncer *console_at(struct assessment *assessment, const char *address)
{
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		if (is_same(assessment->bouncers[i]->name, address))
			return (struct bouncer *)assessment->bouncers[i];
	struct bouncer *bouncer = bouncer_new();
	bouncer->name = address;
	assessment->bouncers[assessment->n_bouncers++] = bouncer;
	return bouncer;
}

/* host: NULL for this machine. start_ticks: 0 in recordings of before. */
static uint32_t process_of(
	const struct assessment *assessment, int32_t pid, uint64_t start_ticks, const char *host)
{
	for (size_t i = 0; i < assessment->n_processes; i++) {
		const struct process *process = &assessment->processes[i].process;
		if (process->pid == pid && (!start_ticks || process->start_ticks == start_ticks) &&
			is_same(process->host, host))
			return (uint32_t)i;
	}
	return NO_PROCESS;
}

void decode_pools_reserve(struct assessment *assessment, size_t n_pools, size_t n_waiters)
{
	struct arena *arena = assessment->arena;
	struct pool_pages *pages = pool_pages_new();
	pages->items = arena_array(pages->arena, n_pools, sizeof(*pages->items));
	assessment->pages = pages;
	assessment->pools = arena_array(arena, n_pools, sizeof(*assessment->pools));
	assessment->bouncers =
		arena_array(arena, n_pools + n_waiters, sizeof(*assessment->bouncers));
}

/* A page has no more hooks than it can hold. Recordings of before have none. */
static void set_hooks(
	const struct assessment *assessment, const struct json_array *array, struct pool_page *page)
{
	const struct page_hook_row *hooks = array->items;
	size_t count = array->count < POOL_HOOKS_MAX ? array->count : POOL_HOOKS_MAX;
	page->n_hooks = 0;
	page->hooks = NULL;
	if (!hooks)
		return;
	page->hooks = arena_array(assessment->arena, count, sizeof(*page->hooks));
	page->n_hooks = count;
	for (size_t i = 0; i < count; i++) {
		page->hooks[i] = (struct pool_hook){
			.phase = hooks[i].phase,
			.state = hooks[i].state,
			.duration = hooks[i].duration,
		};
		snprintf(page->hooks[i].name, sizeof(page->hooks[i].name), "%s",
			hooks[i].name ? hooks[i].name : "");
	}
}

static struct pool_page *add_page(const struct assessment *assessment, const struct pool_row *row)
{
	struct pool_pages *pages = (struct pool_pages *)assessment->pages;
	struct pool_page *page = &pages->items[pages->count++];
	*page = row->page;
	page->name = row->name;
	page->owner_visible = !row->process_unseen;
	page->inner_pid = page->pid;
	set_hooks(assessment, &row->hooks, page);
	page->dead_since = INSTANT_UNKNOWN;
	page->outbox = row->outbox.outbox;
	page->outbox.present = row->outbox.present;
	page->outbox.oldest_at = instant_of_age(assessment, row->outbox.oldest);
	page->read_at = instant_of_age(assessment, row->age);
	return page;
}

/* A page that cannot be read is no pool. */
static bool set_page(
	const struct assessment *assessment, const struct pool_row *row, struct pool *pool)
{
	pool->kind = POOL_DBPOOL;
	pool->page = add_page(assessment, row);
	pool->process = pool->page->owner_visible
		? process_of(assessment, pool->page->pid, pool->page->start_ticks, pool->page->host)
		: NO_PROCESS;
	pool->elsewhere = row->elsewhere;
	pool->unsure = row->unsure;
	pool->spent = row->spent;
	return !pool->page->error;
}

static void set_bouncer(
	struct assessment *assessment, const struct pool_row *row, struct pool *pool)
{
	struct bouncer_pool *bouncer = arena_alloc(assessment->arena, sizeof(*bouncer));
	struct bouncer *console = console_at(assessment, row->address);
	*bouncer = row->bouncer;
	bouncer->mode = pool_mode_parse(bouncer->mode_text);
	console->taken_at = instant_of_age(assessment, row->age);
	pool->kind = POOL_PGBOUNCER;
	pool->bouncer = bouncer;
	pool->console = console;
}

void decode_pools_add(struct assessment *assessment, const struct pool_row *row)
{
	struct pool pool = { .name = row->name, .age = row->age, .process = NO_PROCESS };
	if (!is_same(row->kind, pool_kind_name(POOL_DBPOOL)))
		set_bouncer(assessment, row, &pool);
	else if (!set_page(assessment, row, &pool))
		return;
	assessment->pools[assessment->n_pools++] = pool;
}

/* Pools of several namespaces, or of one process, may have one pid: the path tells which one it is.
 * Recordings of before have none. host: of the session's process. */
static struct pool *page_pool(
	struct assessment *assessment, const struct slot_row *row, const char *host)
{
	for (size_t i = 0; i < assessment->n_pools; i++) {
		const struct pool_page *page = assessment->pools[i].page;
		bool is_it = page && page->pid == row->page;
		if (is_it &&
			(row->path ? is_same(page->path, row->path) : is_same(page->host, host)))
			return &assessment->pools[i];
	}
	return NULL;
}

static struct pool *bouncer_pool_of(struct assessment *assessment, const struct link_row *row)
{
	for (size_t i = 0; i < assessment->n_pools; i++) {
		struct pool *pool = &assessment->pools[i];
		if (pool->console && is_same(pool->name, row->pool) &&
			is_same(pool->console->name, row->address))
			return pool;
	}
	return NULL;
}

static void join_pool(struct connection *connection, struct pool *pool)
{
	connection->pool = pool;
	pool->connections++;
	pool->leaked += connection->verdict.status == STATUS_LEAKED;
}

static void join_slot(struct assessment *assessment, const struct connection_row *from,
	struct connection *connection)
{
	const struct slot_row *row = &from->slot;
	const char *host = from->owner.present ? from->owner.process.host : NULL;
	struct pool *pool = row->present ? page_pool(assessment, row, host) : NULL;
	if (!pool)
		return;
	struct pool_slot *slot = arena_alloc(assessment->arena, sizeof(*slot));
	*slot = row->slot;
	slot->backend_start = slot->connected_at = INSTANT_UNKNOWN;
	slot->since = instant_of_age(assessment, row->held);
	connection->slot = slot;
	join_pool(connection, pool);
}

static struct bouncer_client *copy_client(struct assessment *assessment, const struct link_row *row)
{
	struct bouncer_client *client = arena_alloc(assessment->arena, sizeof(*client));
	*client = row->client;
	client->pool = client->server = BOUNCER_NONE;
	return client;
}

static void join_link(
	struct assessment *assessment, const struct link_row *row, struct connection *connection)
{
	if (!row->present)
		return;
	struct bouncer_server *server = arena_alloc(assessment->arena, sizeof(*server));
	server->pool = server->client = BOUNCER_NONE;
	server->linked = row->linked;
	connection->bouncer_server = server;
	if (row->client.remote.family != AF_UNSPEC) {
		struct bouncer_client *client = copy_client(assessment, row);
		client->wait = -1;
		connection->bouncer_client = client;
	}
	struct pool *pool = bouncer_pool_of(assessment, row);
	if (!connection->pool && pool)
		join_pool(connection, pool);
}

void decode_pools_connection(struct assessment *assessment, const struct connection_row *row,
	struct connection *connection)
{
	join_slot(assessment, row, connection);
	join_link(assessment, &row->link, connection);
}

void decode_pools_waiter(struct assessment *assessment, const struct waiter_row *row)
{
	assessment->waiters[assessment->n_waiters++] = (struct waiter){
		.client = copy_client(assessment, &row->link),
		.console = console_at(assessment, row->link.address),
		.pool = bouncer_pool_of(assessment, &row->link),
		.in_scope = true,
		.process = row->owner.present ? process_of(assessment, row->owner.process.pid,
							row->owner.process.start_ticks, NULL)
					      : NO_PROCESS,
	};
}
