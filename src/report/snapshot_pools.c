/* Writes pools, slots, links and waiters, as documented. */
#include "report/snapshot_pools.h"

#include <sys/socket.h>

#include "base/instant.h"
#include "model/assessment.h"
#include "report/encoder.h"

/* A page that cannot be read is written as a pool without values. */
static const struct pool_page unreadable = {
	.min = -1,
	.max = -1,
	.in_use = -1,
	.idle = -1,
	.waiting = -1,
	.wait_p99 = -1,
	.held_limit = -1,
	.held_max = -1,
	.pending_writes = -1,
	.uptime = -1,
};

static int64_t counted(bool known, uint64_t count)
{
	return known ? (int64_t)count : -1;
}

/* pool: NULL for a page that cannot be read. */
static void put_page(struct encoder *encoder, const struct pool_page *found,
	const struct pool *pool, int64_t now)
{
	bool known = found->status == POOL_PAGE_LIVE || found->status == POOL_PAGE_DEAD;
	const struct pool_page *page = known ? found : &unreadable;
	encoder_open(encoder, NULL, '{');
	encoder_string(encoder, "kind", pool_kind_name(POOL_DBPOOL));
	encoder_string(encoder, "name", page->name);
	encoder_count(encoder, "pid", counted(known, (uint64_t)page->pid));
	encoder_string(encoder, "phase", page->phase);
	encoder_count(encoder, "in_use", page->in_use);
	encoder_count(encoder, "idle", page->idle);
	encoder_count(encoder, "min", page->min);
	encoder_count(encoder, "max", page->max);
	encoder_count(encoder, "waiting", page->waiting);
	encoder_count(encoder, "acquired_total", counted(known, page->acquired_total));
	encoder_count(encoder, "timeouts", counted(known, page->timeouts));
	encoder_count(encoder, "errors", counted(known, page->errors));
	encoder_exact_ms(encoder, "wait_p99_ms", page->wait_p99);
	encoder_seconds(encoder, "held_max_seconds", page->held_max);
	encoder_count(encoder, "pending_writes", page->pending_writes);
	encoder_seconds(encoder, "uptime_seconds", page->uptime);
	encoder_milliseconds(encoder, "age_ms", instant_elapsed(found->read_at, now));
	encoder_string(encoder, "held_max_site", page->held_site);
	encoder_seconds(
		encoder, "held_limit_seconds", page->held_limit > 0 ? page->held_limit : -1);
	encoder_string(encoder, "server", page->server);
	encoder_string(encoder, "page_status", pool_page_status_name(found->status));
	encoder_string(encoder, "path", found->path);
	encoder_string(encoder, "error", found->error);
	encoder_boolean(encoder, "elsewhere", pool && pool->elsewhere);
	encoder_boolean(encoder, "nothing_left", pool && pool->spent);
	encoder_close(encoder, '}');
}

static void put_bouncer_pool(struct encoder *encoder, const struct pool *pool)
{
	const struct bouncer_pool *bouncer = pool->bouncer;
	encoder_open(encoder, NULL, '{');
	encoder_string(encoder, "kind", pool_kind_name(POOL_PGBOUNCER));
	encoder_string(encoder, "name", pool->name);
	encoder_string(encoder, "address", pool->console->name);
	encoder_string(encoder, "pool_mode", bouncer->mode_text);
	encoder_count(encoder, "clients_active", bouncer->clients_active);
	encoder_count(encoder, "clients_waiting", bouncer->clients_waiting);
	encoder_count(encoder, "servers_active", bouncer->servers_active);
	encoder_count(encoder, "servers_idle", bouncer->servers_idle);
	encoder_seconds(encoder, "max_wait_seconds", bouncer->max_wait);
	encoder_count(encoder, "servers_max", bouncer->servers_max);
	encoder_count(encoder, "servers_other", bouncer->servers_other);
	encoder_exact_ms(encoder, "average_wait_ms", bouncer->average_wait);
	encoder_boolean(encoder, "paused", bouncer->paused);
	encoder_boolean(encoder, "disabled", bouncer->disabled);
	encoder_milliseconds(encoder, "age_ms", pool->age);
	encoder_close(encoder, '}');
}

/* As in a connection: −1 is a Unix socket, null is not known. */
static void put_client(struct encoder *encoder, const struct bouncer_client *client)
{
	char address[ENDPOINT_TEXT_MAX] = "";
	if (client)
		endpoint_address(&client->remote, address);
	encoder_string(encoder, "client_addr", address[0] ? address : NULL);
	if (!client || client->remote.family == AF_UNSPEC)
		encoder_null(encoder, "client_port");
	else
		encoder_integer(encoder, "client_port",
			client->remote.family == AF_UNIX ? -1 : client->remote.port);
	encoder_string(encoder, "application_name", client ? client->application_name : NULL);
}

static void put_process(struct encoder *encoder, const struct process *process)
{
	if (!process) {
		encoder_null(encoder, "process");
		return;
	}
	encoder_open(encoder, "process", '{');
	encoder_integer(encoder, "pid", process->pid);
	encoder_integer(encoder, "start_ticks", (int64_t)process->start_ticks);
	encoder_string(encoder, "name", process->name);
	encoder_string(encoder, "command", process->command);
	encoder_close(encoder, '}');
}

static void put_waiter(
	struct encoder *encoder, const struct assessment *assessment, const struct waiter *waiter)
{
	const struct client_process *process =
		waiter->process == NO_PROCESS ? NULL : &assessment->processes[waiter->process];
	encoder_open(encoder, NULL, '{');
	encoder_string(encoder, "pool", waiter->pool ? waiter->pool->name : NULL);
	encoder_string(encoder, "address", waiter->console->name);
	encoder_seconds(encoder, "seconds", waiter->client->wait);
	put_client(encoder, waiter->client);
	put_process(encoder, process ? &process->process : NULL);
	encoder_close(encoder, '}');
}

void snapshot_pools_put(struct encoder *encoder, const struct assessment *assessment)
{
	const struct pool_pages *pages = assessment->pages;
	encoder_open(encoder, "pools", '[');
	for (size_t i = 0; i < assessment->n_pools; i++) {
		const struct pool *pool = &assessment->pools[i];
		if (pool->page)
			put_page(encoder, pool->page, pool, assessment->now);
		else
			put_bouncer_pool(encoder, pool);
	}
	for (size_t i = 0; pages && i < pages->count; i++)
		if (pages->items[i].error)
			put_page(encoder, &pages->items[i], NULL, assessment->now);
	encoder_close(encoder, ']');
}

void snapshot_pools_put_waiting(struct encoder *encoder, const struct assessment *assessment)
{
	encoder_open(encoder, "waiting", '[');
	for (size_t i = 0; i < assessment->n_waiters; i++)
		if (assessment->waiters[i].in_scope)
			put_waiter(encoder, assessment, &assessment->waiters[i]);
	encoder_close(encoder, ']');
}

static void put_slot(struct encoder *encoder, const struct assessment *assessment,
	const struct pool_slot *slot, const struct pool_page *page)
{
	bool held = slot->state == POOL_SLOT_IN_USE;
	encoder_open(encoder, "pool", '{');
	encoder_integer(encoder, "page", page->pid);
	encoder_integer(encoder, "slot", slot->number);
	encoder_seconds(
		encoder, "held_seconds", held ? instant_elapsed(slot->since, assessment->now) : -1);
	encoder_string(encoder, "site", slot->site);
	encoder_string(encoder, "name", page->name);
	encoder_string(encoder, "state", pool_slot_state_name(slot->state));
	encoder_boolean(encoder, "reported", slot->reported);
	encoder_close(encoder, '}');
}

static void put_bouncer(struct encoder *encoder, const struct connection *connection)
{
	const struct pool *pool = connection->pool;
	const struct bouncer_pool *bouncer = pool ? pool->bouncer : NULL;
	encoder_open(encoder, "pgbouncer", '{');
	encoder_string(encoder, "pool", bouncer ? pool->name : NULL);
	encoder_string(encoder, "address", bouncer ? pool->console->name : NULL);
	encoder_string(encoder, "pool_mode", bouncer ? bouncer->mode_text : NULL);
	encoder_boolean(encoder, "linked",
		connection->bouncer_client || connection->bouncer_server->linked);
	put_client(encoder, connection->bouncer_client);
	encoder_close(encoder, '}');
}

void snapshot_pools_put_connection(struct encoder *encoder, const struct assessment *assessment,
	const struct connection *connection)
{
	if (connection->slot)
		put_slot(encoder, assessment, connection->slot, connection->pool->page);
	else
		encoder_null(encoder, "pool");
	if (connection->bouncer_server)
		put_bouncer(encoder, connection);
	else
		encoder_null(encoder, "pgbouncer");
}
