/* Pools as the sources would have brought them. */
#include "sample_pools.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "sample.h"

#define SECONDS(n)    ((n)*USEC_PER_SEC)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct pool_slot slots[] = {
	{ .number = 1,
		.state = POOL_SLOT_IN_USE,
		.backend_pid = 9912,
		.site = "sync.c:212",
		.thread = 4330,
		.since = SAMPLE_NOW - SECONDS(432),
		.reported = true,
		.borrowed = 17 },
	{ .number = 2,
		.state = POOL_SLOT_IN_USE,
		.backend_pid = 9913,
		.site = "api.c:88",
		.thread = 4331,
		.since = SAMPLE_NOW - 100000,
		.borrowed = 702 },
	{ .number = 3,
		.state = POOL_SLOT_RESERVE,
		.backend_pid = 9914,
		.since = SAMPLE_NOW - SECONDS(12),
		.borrowed = 93 },
};

static const struct pool_hook hooks[] = {
	{ .name = "stop workers",
		.phase = POOL_HOOK_STOP,
		.state = POOL_HOOK_DONE,
		.duration = 38000 },
	{ .name = "outbox", .phase = POOL_HOOK_FLUSH, .state = POOL_HOOK_WAITING, .duration = -1 },
};

static const struct pool_page app_page = {
	.path = "/run/user/1000/dbpool/app-4312.page",
	.status = POOL_PAGE_LIVE,
	.name = "app",
	.pid = 4312,
	.owner_visible = true,
	.dead_since = INSTANT_UNKNOWN,
	.server = "127.0.0.1:5432/app",
	.phase = "running",
	.min = 1,
	.max = 3,
	.in_use = 2,
	.idle = 1,
	.acquired_total = 812,
	.errors = 1,
	.wait_p99 = 2300,
	.held_limit = SECONDS(60),
	.held_max = SECONDS(432),
	.held_site = "sync.c:212",
	.uptime = SECONDS(86400),
	.read_at = SAMPLE_NOW - 12000,
	.n_slots = LENGTH(slots),
	.n_hooks = LENGTH(hooks),
};

static const struct pool_page damaged_page = {
	.path = "/tmp/dbpool-1000/old-77.page",
	.status = POOL_PAGE_DAMAGED,
	.error = "it is damaged, or no stats page",
	.dead_since = INSTANT_UNKNOWN,
	.read_at = SAMPLE_NOW - 12000,
};

static const struct bouncer_pool bouncer_pool = {
	.database = "app",
	.user = "app",
	.mode_text = "transaction",
	.mode = POOL_MODE_TRANSACTION,
	.clients_active = 12,
	.clients_waiting = 2,
	.servers_active = 3,
	.servers_idle = 1,
	.servers_max = 20,
	.max_wait = 400000,
	.average_wait = 1200,
};

static struct endpoint loopback(uint16_t port)
{
	const struct in_addr address = { htonl(INADDR_LOOPBACK) };
	return endpoint_make(AF_INET, &address, port);
}

static struct pool_pages *make_pages(void)
{
	struct pool_pages *pages = pool_pages_new();
	pages->read_at = SAMPLE_NOW - 12000;
	pages->items = arena_array(pages->arena, 2, sizeof(*pages->items));
	pages->count = 2;
	pages->items[0] = app_page;
	pages->items[1] = damaged_page;
	pages->items[0].slots = arena_array(pages->arena, LENGTH(slots), sizeof(slots[0]));
	for (size_t i = 0; i < LENGTH(slots); i++)
		pages->items[0].slots[i] = slots[i];
	pages->items[0].hooks = arena_array(pages->arena, LENGTH(hooks), sizeof(hooks[0]));
	for (size_t i = 0; i < LENGTH(hooks); i++)
		pages->items[0].hooks[i] = hooks[i];
	return pages;
}

static struct bouncer *make_bouncer(void)
{
	struct bouncer *bouncer = bouncer_new();
	bouncer->name = "127.0.0.1:6432";
	bouncer->port = 6432;
	bouncer->taken_at = SAMPLE_NOW - 3000;
	bouncer->pools = arena_alloc(bouncer->arena, sizeof(*bouncer->pools));
	bouncer->pools[0] = bouncer_pool;
	bouncer->n_pools = 1;
	bouncer->clients = arena_array(bouncer->arena, 2, sizeof(*bouncer->clients));
	bouncer->n_clients = 2;
	for (uint16_t i = 0; i < 2; i++)
		bouncer->clients[i] = (struct bouncer_client){
			.database = "app",
			.user = "app",
			.application_name = "web",
			.remote = loopback((uint16_t)(53010 + i)),
			.local = loopback(6432),
			.wait = i ? 120000 : 400000,
			.server = BOUNCER_NONE,
		};
	return bouncer;
}

static void join_slots(struct assessment *assessment)
{
	const struct pool_page *page = assessment->pools[0].page;
	for (size_t i = 0; i < page->n_slots; i++) {
		struct connection *connection = sample_find(assessment, page->slots[i].backend_pid);
		if (!connection)
			continue;
		connection->pool = &assessment->pools[0];
		connection->slot = &page->slots[i];
		assessment->pools[0].process = connection->process;
		assessment->pools[0].connections++;
		assessment->pools[0].leaked += connection->verdict.status == STATUS_LEAKED;
	}
}

void sample_add_pools(struct assessment *assessment, uint32_t starving)
{
	struct arena *arena = assessment->arena;
	struct pool_pages *pages = make_pages();
	struct bouncer *bouncer = make_bouncer();
	assessment->pages = pages;
	assessment->bouncers = arena_alloc(arena, sizeof(*assessment->bouncers));
	assessment->bouncers[0] = bouncer;
	assessment->n_bouncers = 1;
	assessment->pools = arena_array(arena, 2, sizeof(*assessment->pools));
	assessment->n_pools = 2;
	assessment->pools[0] = (struct pool){
		.kind = POOL_DBPOOL,
		.name = pages->items[0].name,
		.page = &pages->items[0],
		.age = 12000,
		.process = NO_PROCESS,
	};
	assessment->pools[1] = (struct pool){
		.kind = POOL_PGBOUNCER,
		.name = "app/app",
		.console = bouncer,
		.bouncer = bouncer->pools,
		.age = 3000,
		.process = NO_PROCESS,
	};
	join_slots(assessment);
	assessment->waiters = arena_array(arena, 2, sizeof(*assessment->waiters));
	assessment->n_waiters = 2;
	for (size_t i = 0; i < 2; i++)
		assessment->waiters[i] = (struct waiter){
			.client = &bouncer->clients[i],
			.console = bouncer,
			.pool = &assessment->pools[1],
			.process = starving,
			.in_scope = true,
		};
}
