/* Fills the rows of the schema's tables from an assessment, and writes them. */
#include "report/snapshot.h"

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "report/encoder.h"
#include "report/schema.h"

struct snapshot {
	const struct assessment *assessment;
	const struct snapshot_options *options;
};

static int64_t taken_at(const struct assessment *assessment)
{
	return assessment->activity ? assessment->activity->taken_at : INSTANT_UNKNOWN;
}

static struct server_row server_row(const struct assessment *assessment)
{
	const struct server_state *server = &assessment->server;
	const struct activity *activity = assessment->activity;
	return (struct server_row){
		.state = *server,
		.sqlstate = server->sqlstate[0] ? server->sqlstate : NULL,
		.version = activity ? activity->server.version : -1,
		.started_at = activity ? activity->server.started_at : INSTANT_UNKNOWN,
		.age = instant_elapsed(taken_at(assessment), assessment->now),
		.clock = assessment->server_now,
	};
}

static struct proxy_row proxy_row(const struct proxy *proxy)
{
	if (!proxy_is_shown(proxy))
		return (struct proxy_row){ .present = false };
	return (struct proxy_row){
		.present = true,
		.status = proxy->status,
		.pid = proxy->process.pid,
		.port = proxy->port,
		.latency = proxy->latency,
		.detail = proxy->detail,
	};
}

/* The network namespace is written where it is not ours. */
static struct owner_row owner_row(const struct assessment *assessment,
	const struct client_process *client, enum matched_by matched_by, int shared_by)
{
	if (!client)
		return (struct owner_row){ .present = false };
	uint64_t network = client->process.network_namespace;
	bool ours = assessment->peers && assessment->peers->network_id == network;
	return (struct owner_row){
		.present = true,
		.process = client->process,
		.network = network && !ours ? (int64_t)network : -1,
		.matched_by = matched_by,
		.shared_by = shared_by,
	};
}

static struct slot_row slot_row(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct pool_slot *slot = connection->slot;
	if (!slot)
		return (struct slot_row){ .present = false };
	bool is_held = slot->state == POOL_SLOT_IN_USE;
	return (struct slot_row){
		.present = true,
		.page = connection->pool->page->pid,
		.name = connection->pool->page->name,
		.path = connection->pool->page->path,
		.slot = *slot,
		.held = is_held ? instant_elapsed(slot->since, assessment->now) : -1,
	};
}

static struct link_row link_row(const struct connection *connection)
{
	const struct bouncer_server *server = connection->bouncer_server;
	const struct bouncer_client *client = connection->bouncer_client;
	const struct pool *pool = connection->pool;
	struct link_row row = { .present = server != NULL };
	if (!server)
		return row;
	row.linked = client || server->linked;
	if (client)
		row.client = *client;
	if (pool && pool->bouncer) {
		row.pool = pool->name;
		row.address = pool->console->name;
		row.mode = pool->bouncer->mode_text;
	}
	return row;
}

static void write_connections(struct encoder *encoder, const struct snapshot *snapshot)
{
	const struct assessment *assessment = snapshot->assessment;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (!connection->in_scope)
			continue;
		struct connection_row row = {
			.backend = *connection->backend,
			.connection = *connection,
			.owner = owner_row(assessment, assessment_process(assessment, connection),
				connection->matched_by, connection->shared_by),
			.slot = slot_row(assessment, connection),
			.link = link_row(connection),
		};
		row.owner.forwarder = connection->forwarder;
		row.owner.may_be =
			(struct json_array){ (void *)connection->may_be, connection->n_may_be };
		if (snapshot->options->no_query_text)
			row.backend.query = NULL;
		json_write_object(encoder, NULL, &connection_table, &row);
	}
}

/* Which processes wait for a connection, by their index; the caller frees the array. */
static bool *find_waiting(const struct assessment *assessment)
{
	bool *waiting = mem_alloc((assessment->n_processes + 1) * sizeof(*waiting));
	for (size_t i = 0; i < assessment->n_waiters; i++) {
		const struct waiter *waiter = &assessment->waiters[i];
		if (waiter->in_scope && waiter->process != NO_PROCESS)
			waiting[waiter->process] = true;
	}
	return waiting;
}

static void write_processes(struct encoder *encoder, const struct snapshot *snapshot)
{
	const struct assessment *assessment = snapshot->assessment;
	CLEANUP(cleanup_free) bool *waiting = find_waiting(assessment);
	for (size_t i = 0; i < assessment->n_processes; i++)
		if (assessment->processes[i].connections > 0 || waiting[i] ||
			assessment->processes[i].logging_in > 0)
			json_write_object(encoder, NULL, &process_table, &assessment->processes[i]);
}

/* A page that cannot be read has no values. */
static const struct pool_page unreadable = {
	.min = -1,
	.max = -1,
	.in_use = -1,
	.idle = -1,
	.waiting = -1,
	.acquired_total = TOTAL_UNKNOWN,
	.timeouts = TOTAL_UNKNOWN,
	.errors = TOTAL_UNKNOWN,
	.lost_slots = TOTAL_UNKNOWN,
	.wait_p99 = -1,
	.held_limit = -1,
	.held_max = -1,
	.pending_writes = -1,
	.uptime = -1,
};

/* The rows of the page's hooks; no items if they are not known. */
static struct json_array hook_rows(
	const struct pool_page *page, struct page_hook_row rows[POOL_HOOKS_MAX])
{
	if (!page->hooks)
		return (struct json_array){ 0 };
	for (size_t i = 0; i < page->n_hooks; i++)
		rows[i] = (struct page_hook_row){
			.name = page->hooks[i].name,
			.phase = page->hooks[i].phase,
			.state = page->hooks[i].state,
			.duration = page->hooks[i].duration,
		};
	return (struct json_array){ rows, page->n_hooks };
}

/* pool: NULL for a page that cannot be read. */
static void write_page(
	struct encoder *encoder, const struct pool_page *page, const struct pool *pool, int64_t now)
{
	bool is_known = page->status == POOL_PAGE_LIVE || page->status == POOL_PAGE_DEAD;
	struct page_hook_row hooks[POOL_HOOKS_MAX];
	struct pool_row row = {
		.kind = pool_kind_name(POOL_DBPOOL),
		.name = is_known ? page->name : NULL,
		.age = instant_elapsed(page->read_at, now),
		.page = is_known ? *page : unreadable,
		.hooks = hook_rows(is_known ? page : &unreadable, hooks),
		.elsewhere = pool && pool->elsewhere,
		.unsure = pool && pool->unsure,
		.spent = pool && pool->spent,
		.process_unseen = pool_page_is_unseen(page),
	};
	if (is_known && page->outbox.present)
		row.outbox = (struct outbox_row){
			.present = true,
			.outbox = page->outbox,
			.oldest = instant_elapsed(page->outbox.oldest_at, now),
		};
	row.page.status = page->status;
	if (row.page.held_limit == 0) /* no limit, which is null */
		row.page.held_limit = -1;
	row.page.path = page->path;
	row.page.host = page->host;
	row.page.error = page->error;
	json_write_object(encoder, NULL, &page_table, &row);
}

static void write_bouncer(struct encoder *encoder, const struct pool *pool)
{
	const struct pool_row row = {
		.kind = pool_kind_name(POOL_PGBOUNCER),
		.name = pool->name,
		.address = pool->console->name,
		.age = pool->age,
		.bouncer = *pool->bouncer,
	};
	json_write_object(encoder, NULL, &bouncer_table, &row);
}

static void write_pools(struct encoder *encoder, const struct snapshot *snapshot)
{
	const struct assessment *assessment = snapshot->assessment;
	const struct pool_pages *pages = assessment->pages;
	for (size_t i = 0; i < assessment->n_pools; i++) {
		const struct pool *pool = &assessment->pools[i];
		if (pool->page)
			write_page(encoder, pool->page, pool, assessment->now);
		else
			write_bouncer(encoder, pool);
	}
	for (size_t i = 0; pages && i < pages->count; i++)
		if (pages->items[i].error)
			write_page(encoder, &pages->items[i], NULL, assessment->now);
}

static void write_sources(struct encoder *encoder, const struct snapshot *snapshot)
{
	const struct assessment *assessment = snapshot->assessment;
	for (size_t i = 0; i < assessment->n_sources; i++) {
		const struct source_state *source = &assessment->sources[i];
		const struct source_row row = {
			.state = *source,
			.age = instant_elapsed(source->taken_at, assessment->now),
		};
		json_write_object(encoder, NULL, &source_table, &row);
	}
}

static void write_waiters(struct encoder *encoder, const struct snapshot *snapshot)
{
	const struct assessment *assessment = snapshot->assessment;
	for (size_t i = 0; i < assessment->n_waiters; i++) {
		const struct waiter *waiter = &assessment->waiters[i];
		if (!waiter->in_scope)
			continue;
		const struct client_process *owner = waiter->process == NO_PROCESS
			? NULL
			: &assessment->processes[waiter->process];
		const struct waiter_row row = {
			.link.pool = waiter->pool ? waiter->pool->name : NULL,
			.link.address = waiter->console->name,
			.link.client = *waiter->client,
			.owner = owner_row(assessment, owner, MATCHED_NONE, 0),
		};
		json_write_object(encoder, NULL, &waiter_table, &row);
	}
}

static void write_logins(struct encoder *encoder, const struct snapshot *snapshot)
{
	const struct assessment *assessment = snapshot->assessment;
	for (size_t i = 0; i < assessment->n_logins; i++) {
		const struct login *login = &assessment->logins[i];
		const struct client_process *owner = login->process == NO_PROCESS
			? NULL
			: &assessment->processes[login->process];
		const struct login_row row = {
			.owner = owner_row(assessment, owner, MATCHED_NONE, 0),
			.client = login->client,
			.count = login->count,
		};
		json_write_object(encoder, NULL, &login_table, &row);
	}
}

static bool has_answered(const struct assessment *assessment, size_t source)
{
	return assessment->sources[source].taken_at != INSTANT_UNKNOWN &&
		assessment->sources[source].status != SOURCE_FAILED;
}

/* The stats pages and the consoles of all PgBouncers. */
static bool were_pools_read(const struct assessment *assessment)
{
	bool all = true;
	for (size_t i = SOURCE_PAGES; i < assessment->n_sources; i++)
		all &= has_answered(assessment, i);
	return all;
}

/* Whether there is anything to list; a list that is empty because nobody could look is null. */
static bool is_known(const struct assessment *assessment, size_t list)
{
	switch ((enum snapshot_list)list) {
	case LIST_CONNECTIONS: return assessment->activity;
	case LIST_PROCESSES:
		return assessment->n_processes > 0 || has_answered(assessment, SOURCE_PEERS);
	case LIST_POOLS: return assessment->n_pools > 0 || were_pools_read(assessment);
	case LIST_LOGINS: return assessment->n_logins > 0 || assessment->slots.logging_in >= 0;
	default: return true;
	}
}

static void write_list(struct encoder *encoder, const char *key, size_t list, const void *data)
{
	static void (*const writers[])(
		struct encoder * encoder, const struct snapshot *snapshot) = {
		[LIST_CONNECTIONS] = write_connections,
		[LIST_PROCESSES] = write_processes,
		[LIST_POOLS] = write_pools,
		[LIST_SOURCES] = write_sources,
		[LIST_WAITERS] = write_waiters,
		[LIST_LOGINS] = write_logins,
	};
	const struct snapshot *snapshot = data;
	if (!is_known(snapshot->assessment, list)) {
		encoder_null(encoder, key);
		return;
	}
	encoder_open(encoder, key, '[');
	writers[list](encoder, snapshot);
	encoder_close(encoder, ']');
}

int snapshot_print(
	const struct assessment *assessment, const struct snapshot_options *options, FILE *file)
{
	const struct snapshot snapshot = { assessment, options };
	int64_t taken = taken_at(assessment);
	const struct snapshot_row row = {
		.schema = SCHEMA,
		/* Without an answer of the server, this is when the assessment was made. */
		.taken_at = taken == INSTANT_UNKNOWN ? assessment->now : taken,
		.server = server_row(assessment),
		.slots = {
			.slots = assessment->slots,
			.limits = { assessment->slot_limits, assessment->n_slot_limits },
		},
		.proxy = proxy_row(assessment->proxy),
		.limits = assessment->limits,
		.complete = assessment->complete,
	};
	return json_write_line(file, &snapshot_table, &row, write_list, &snapshot);
}
