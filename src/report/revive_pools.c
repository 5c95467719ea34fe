/* Reads pools, slots, links and waiters from JSON. Values that a snapshot does not contain are set
 * to not known. */
#include "report/revive_pools.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "report/reader.h"

#define LENGTH(array)    (sizeof(array) / sizeof((array)[0]))
#define AT(type, member) offsetof(struct type, member)

static const char *page_status_word(unsigned int value)
{
	return pool_page_status_name((enum pool_page_status)value);
}

static const char *slot_state_word(unsigned int value)
{
	return pool_slot_state_name((enum pool_slot_state)value);
}

/* One element of "pools" of either kind; its age becomes the instant that is stored. */
struct row {
	const char *kind, *name, *address;
	struct pool_page page;
	struct bouncer_pool bouncer;
	int64_t age;
	bool elsewhere, spent;
};

static const struct field row_fields[] = {
	{ "kind", FIELD_NAME, AT(row, kind) },
	{ "name", FIELD_NAME, AT(row, name) },
	{ "address", FIELD_NAME, AT(row, address) },
	{ "age_ms", FIELD_MS, AT(row, age) },
	/* only for a page */
	{ "pid", FIELD_INT, AT(row, page.pid) },
	{ "phase", FIELD_NAME, AT(row, page.phase) },
	{ "in_use", FIELD_COUNT, AT(row, page.in_use) },
	{ "idle", FIELD_COUNT, AT(row, page.idle) },
	{ "min", FIELD_COUNT, AT(row, page.min) },
	{ "max", FIELD_COUNT, AT(row, page.max) },
	{ "waiting", FIELD_COUNT, AT(row, page.waiting) },
	{ "acquired_total", FIELD_TICKS, AT(row, page.acquired_total) },
	{ "timeouts", FIELD_TICKS, AT(row, page.timeouts) },
	{ "errors", FIELD_TICKS, AT(row, page.errors) },
	{ "wait_p99_ms", FIELD_MS, AT(row, page.wait_p99) },
	{ "held_max_seconds", FIELD_SECONDS, AT(row, page.held_max) },
	{ "pending_writes", FIELD_LARGE, AT(row, page.pending_writes) },
	{ "uptime_seconds", FIELD_SECONDS, AT(row, page.uptime) },
	{ "held_max_site", FIELD_NAME, AT(row, page.held_site) },
	{ "held_limit_seconds", FIELD_SECONDS, AT(row, page.held_limit) },
	{ "server", FIELD_NAME, AT(row, page.server) },
	{ "page_status", FIELD_WORD, AT(row, page.status), page_status_word,
		POOL_PAGE_STATUS_COUNT },
	{ "path", FIELD_NAME, AT(row, page.path) },
	{ "error", FIELD_NAME, AT(row, page.error) },
	{ "elsewhere", FIELD_FLAG, AT(row, elsewhere) },
	{ "nothing_left", FIELD_FLAG, AT(row, spent) },
	/* only for PgBouncer */
	{ "pool_mode", FIELD_NAME, AT(row, bouncer.mode_text) },
	{ "clients_active", FIELD_COUNT, AT(row, bouncer.clients_active) },
	{ "clients_waiting", FIELD_COUNT, AT(row, bouncer.clients_waiting) },
	{ "servers_active", FIELD_COUNT, AT(row, bouncer.servers_active) },
	{ "servers_idle", FIELD_COUNT, AT(row, bouncer.servers_idle) },
	{ "max_wait_seconds", FIELD_SECONDS, AT(row, bouncer.max_wait) },
	{ "servers_max", FIELD_COUNT, AT(row, bouncer.servers_max) },
	{ "servers_other", FIELD_COUNT, AT(row, bouncer.servers_other) },
	{ "average_wait_ms", FIELD_MS, AT(row, bouncer.average_wait) },
	{ "paused", FIELD_FLAG, AT(row, bouncer.paused) },
	{ "disabled", FIELD_FLAG, AT(row, bouncer.disabled) },
};

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

static uint32_t process_of(const struct assessment *assessment, int32_t pid)
{
	for (size_t i = 0; i < assessment->n_processes; i++)
		if (assessment->processes[i].process.pid == pid)
			return (uint32_t)i;
	return NO_PROCESS;
}

static struct pool_page *add_page(
	struct pool_pages *pages, const struct assessment *assessment, const struct row *row)
{
	struct pool_page *page = &pages->items[pages->count++];
	*page = row->page;
	page->name = row->name;
	page->owner_visible = true;
	page->dead_since = INSTANT_UNKNOWN;
	page->read_at = instant_of_age(assessment, row->age);
	return page;
}

static void add_row(struct assessment *assessment, struct pool_pages *pages, const struct row *row)
{
	struct arena *arena = assessment->arena;
	struct pool pool = { .name = row->name, .age = row->age, .process = NO_PROCESS };
	if (is_same(row->kind, pool_kind_name(POOL_DBPOOL))) {
		pool.kind = POOL_DBPOOL;
		pool.page = add_page(pages, assessment, row);
		pool.process = process_of(assessment, pool.page->pid);
		pool.elsewhere = row->elsewhere;
		pool.spent = row->spent;
		if (pool.page->error)
			return;
	} else {
		struct bouncer_pool *bouncer = arena_alloc(arena, sizeof(*bouncer));
		*bouncer = row->bouncer;
		bouncer->mode = pool_mode_parse(bouncer->mode_text);
		pool.kind = POOL_PGBOUNCER;
		pool.bouncer = bouncer;
		struct bouncer *console = console_at(assessment, row->address);
		console->taken_at = instant_of_age(assessment, row->age);
		pool.console = console;
	}
	assessment->pools[assessment->n_pools++] = pool;
}

int revive_pools(struct reader *reader, const json_t *root, struct assessment *assessment)
{
	const json_t *array;
	size_t count;
	int r = reader_begin(reader, root, "pools", &array, &count);
	struct pool_pages *pages = pool_pages_new();
	size_t waiting = json_array_size(json_object_get(root, "waiting"));
	assessment->pages = pages;
	assessment->bouncers =
		arena_array(assessment->arena, count + waiting, sizeof(*assessment->bouncers));
	assessment->pools = arena_array(assessment->arena, count, sizeof(*assessment->pools));
	pages->items = arena_array(pages->arena, count, sizeof(*pages->items));
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct row row = { 0 };
		reader->index = i;
		r = reader_fields(
			reader, json_array_get(array, i), row_fields, LENGTH(row_fields), &row);
		if (r == 0)
			add_row(assessment, pages, &row);
	}
	reader->index = READER_NO_INDEX;
	return r;
}

struct slot_row {
	int32_t page;
	struct pool_slot slot;
	int64_t held;
};

static const struct field slot_fields[] = {
	{ "page", FIELD_INT, AT(slot_row, page) },
	{ "slot", FIELD_UNSIGNED, AT(slot_row, slot.number) },
	{ "held_seconds", FIELD_SECONDS, AT(slot_row, held) },
	{ "site", FIELD_NAME, AT(slot_row, slot.site) },
	{ "state", FIELD_WORD, AT(slot_row, slot.state), slot_state_word, POOL_SLOT_STATE_COUNT },
	{ "reported", FIELD_FLAG, AT(slot_row, slot.reported) },
};

static struct pool *page_pool(struct assessment *assessment, int32_t pid)
{
	for (size_t i = 0; i < assessment->n_pools; i++)
		if (assessment->pools[i].page && assessment->pools[i].page->pid == pid)
			return &assessment->pools[i];
	return NULL;
}

static void join_pool(struct connection *connection, struct pool *pool)
{
	connection->pool = pool;
	pool->connections++;
	pool->leaked += connection->verdict.status == STATUS_LEAKED;
}

static int read_slot(struct reader *reader, const json_t *object, struct assessment *assessment,
	struct connection *connection)
{
	const json_t *value;
	struct slot_row row = { 0 };
	int r = reader_object(reader, object, "pool", &value);
	if (r < 0 || !value)
		return r;
	r = reader_fields(reader, value, slot_fields, LENGTH(slot_fields), &row);
	struct pool *pool = r == 0 ? page_pool(assessment, row.page) : NULL;
	if (!pool)
		return r;
	struct pool_slot *slot = arena_alloc(assessment->arena, sizeof(*slot));
	*slot = row.slot;
	slot->backend_start = slot->connected_at = INSTANT_UNKNOWN;
	slot->since = instant_of_age(assessment, row.held);
	connection->slot = slot;
	join_pool(connection, pool);
	return 0;
}

/* The client and its pool in a connection or a waiter. */
struct link_row {
	const char *pool, *address;
	bool linked;
	int64_t wait;
	struct bouncer_client client;
};

static const struct field link_fields[] = {
	{ "pool", FIELD_NAME, AT(link_row, pool) },
	{ "address", FIELD_NAME, AT(link_row, address) },
	{ "linked", FIELD_FLAG, AT(link_row, linked) },
	{ "seconds", FIELD_SECONDS, AT(link_row, wait) },
	{ "application_name", FIELD_NAME, AT(link_row, client.application_name) },
};

static int read_link(struct reader *reader, const json_t *object, struct link_row *ret_row)
{
	*ret_row = (struct link_row){ 0 };
	int r = reader_fields(reader, object, link_fields, LENGTH(link_fields), ret_row);
	if (r == 0)
		r = reader_endpoint(reader, object, &ret_row->client.remote);
	ret_row->client.pool = ret_row->client.server = BOUNCER_NONE;
	ret_row->client.wait = ret_row->wait;
	return r;
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

static const struct bouncer_client *copy_client(
	struct assessment *assessment, const struct link_row *row)
{
	struct bouncer_client *client = arena_alloc(assessment->arena, sizeof(*client));
	*client = row->client;
	return client;
}

static int read_bouncer(struct reader *reader, const json_t *object, struct assessment *assessment,
	struct connection *connection)
{
	const json_t *value;
	struct link_row row;
	int r = reader_object(reader, object, "pgbouncer", &value);
	if (r < 0 || !value)
		return r;
	r = read_link(reader, value, &row);
	if (r < 0)
		return r;
	struct bouncer_server *server = arena_alloc(assessment->arena, sizeof(*server));
	server->pool = server->client = BOUNCER_NONE;
	server->linked = row.linked;
	connection->bouncer_server = server;
	row.client.wait = -1;
	if (row.client.remote.family != AF_UNSPEC)
		connection->bouncer_client = copy_client(assessment, &row);
	struct pool *pool = bouncer_pool_of(assessment, &row);
	if (!connection->pool && pool)
		join_pool(connection, pool);
	return 0;
}

int revive_pools_connection(struct reader *reader, const json_t *object,
	struct assessment *assessment, struct connection *connection)
{
	int r = read_slot(reader, object, assessment, connection);
	return r < 0 ? r : read_bouncer(reader, object, assessment, connection);
}

static int read_waiter(struct reader *reader, const json_t *object, struct assessment *assessment)
{
	static const struct field pid_field = { "pid", FIELD_INT, 0 };
	const json_t *process;
	int32_t pid = 0;
	struct link_row row;
	int r = read_link(reader, object, &row);
	if (r == 0)
		r = reader_object(reader, object, "process", &process);
	if (r == 0 && process)
		r = reader_fields(reader, process, &pid_field, 1, &pid);
	if (r < 0)
		return r;
	assessment->waiters[assessment->n_waiters++] = (struct waiter){
		.client = copy_client(assessment, &row),
		.console = console_at(assessment, row.address),
		.pool = bouncer_pool_of(assessment, &row),
		.in_scope = true,
		.process = pid ? process_of(assessment, pid) : NO_PROCESS,
	};
	return 0;
}

int revive_pools_waiting(struct reader *reader, const json_t *root, struct assessment *assessment)
{
	const json_t *array;
	size_t count;
	int r = reader_begin(reader, root, "waiting", &array, &count);
	assessment->waiters = arena_array(assessment->arena, count, sizeof(*assessment->waiters));
	for (size_t i = 0; r == 0 && i < count; i++) {
		reader->index = i;
		r = read_waiter(reader, json_array_get(array, i), assessment);
	}
	reader->index = READER_NO_INDEX;
	return r;
}
