/* Reads a line by the schema's tables, and makes an assessment of the rows. */
#include "report/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "report/decode_pools.h"
#include "report/schema.h"

struct decoding {
	struct json_reader reader;
	const json_t *root;
	struct assessment *assessment;
	struct activity *activity; /* set as the assessment's activity */
	struct map *processes;     /* pid and start → index of the process */
	struct snapshot_row head;
};

static void set_server(struct decoding *decoding)
{
	struct assessment *assessment = decoding->assessment;
	const struct snapshot_row *head = &decoding->head;
	const struct server_row *server = &head->server;
	assessment->server = server->state;
	snprintf(assessment->server.sqlstate, sizeof(assessment->server.sqlstate), "%s",
		server->sqlstate ? server->sqlstate : "");
	assessment->slots = head->slots.slots;
	/* recordings of before have only the exact numbers */
	if (assessment->slots.used_at_most < 0)
		assessment->slots.used_at_most = assessment->slots.used;
	if (assessment->slots.free_at_least < 0)
		assessment->slots.free_at_least = assessment->slots.free;
	assessment->slot_limits = head->slots.limits.items;
	assessment->n_slot_limits = head->slots.limits.count;
	assessment->limits = head->limits;
	assessment->complete = head->complete;
	assessment->now = head->taken_at + (server->age > 0 ? server->age : 0);
	assessment->server_now = server->clock == INSTANT_UNKNOWN ? assessment->now : server->clock;
}

/* A snapshot without a proxy leaves the proxy NULL. */
static void set_proxy(struct decoding *decoding)
{
	const struct proxy_row *row = &decoding->head.proxy;
	if (!row->present)
		return;
	struct proxy *proxy = proxy_new();
	proxy->expected = true;
	proxy->wanted = "the proxy";
	proxy->status = row->status;
	proxy->port = (uint16_t)row->port;
	proxy->process.pid = row->pid;
	proxy->process.started_at = proxy->process.ended_at = INSTANT_UNKNOWN;
	proxy->latency = row->latency;
	if (row->latency >= 0)
		proxy->proven_at = decoding->assessment->now;
	proxy->detail = arena_strdup(proxy->arena, row->detail);
	decoding->assessment->proxy = proxy;
}

static int read_head(struct decoding *decoding)
{
	struct json_reader *reader = &decoding->reader;
	struct snapshot_row *head = &decoding->head;
	int r = json_read_fields(reader, decoding->root, &snapshot_table, head);
	if (r == 0 && head->schema != SCHEMA)
		r = json_refuse(reader, "schema", "1: a line of dbtop --json");
	if (r == 0 && head->taken_at == INSTANT_UNKNOWN)
		r = json_refuse(reader, "taken_at", "an instant");
	if (r < 0)
		return r;
	set_server(decoding);
	set_proxy(decoding);
	return 0;
}

/* Begins with an array of the top; *ret_count is 0 if it is missing. */
static int begin(
	struct decoding *decoding, const char *key, const json_t **ret_array, size_t *ret_count)
{
	*ret_count = 0;
	return json_read_array(&decoding->reader, decoding->root, key, ret_array, ret_count);
}

/* Reads the element `i`. */
static int read_element(struct decoding *decoding, const json_t *array, size_t i,
	const struct json_table *table, void *ret_row)
{
	decoding->reader.index = i;
	int r = json_read_fields(&decoding->reader, json_array_get(array, i), table, ret_row);
	decoding->reader.index = JSON_NO_INDEX;
	return r;
}

static uint64_t process_key(const struct process *process)
{
	uint64_t key = map_mix((uint64_t)process->pid, process->start_ticks);
	for (const char *c = process->host; c && *c; c++)
		key = map_mix(key, (unsigned char)*c);
	return key;
}

static int read_processes(struct decoding *decoding)
{
	struct assessment *assessment = decoding->assessment;
	const json_t *array;
	size_t count;
	int r = begin(decoding, "processes", &array, &count);
	assessment->processes =
		arena_array(assessment->arena, count, sizeof(*assessment->processes));
	decoding->processes = map_new(assessment->arena, count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct client_process *client = &assessment->processes[i];
		r = read_element(decoding, array, i, &process_table, client);
		map_set(decoding->processes, process_key(&client->process), (uint32_t)i);
		assessment->n_processes += r == 0;
	}
	return r;
}

/* The row of a pool has the fields of both kinds. */
static int read_pools(struct decoding *decoding)
{
	struct assessment *assessment = decoding->assessment;
	const json_t *array;
	size_t count;
	int r = begin(decoding, "pools", &array, &count);
	decode_pools_reserve(
		assessment, count, json_array_size(json_object_get(decoding->root, "waiting")));
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct pool_row row = { 0 };
		r = read_element(decoding, array, i, &page_table, &row);
		if (r == 0)
			r = read_element(decoding, array, i, &bouncer_table, &row);
		if (r == 0)
			decode_pools_add(assessment, &row);
	}
	return r;
}

/* A connection names its process by pid and start; "processes" describes it. */
static void set_owner(const struct decoding *decoding, const struct owner_row *owner,
	struct connection *connection)
{
	connection->process = owner->present
		? map_get(decoding->processes, process_key(&owner->process))
		: NO_PROCESS;
	if (connection->process != NO_PROCESS) {
		struct process *process =
			&decoding->assessment->processes[connection->process].process;
		connection->matched_by = owner->matched_by;
		process->network_namespace = owner->network > 0 ? (uint64_t)owner->network : 0;
	}
	connection->shared_by = owner->shared_by > 0 ? owner->shared_by : 0;
	connection->forwarder = owner->forwarder;
	connection->may_be = owner->may_be.items;
	connection->n_may_be = owner->may_be.count;
}

static void add_connection(struct decoding *decoding, const struct connection_row *row)
{
	struct assessment *assessment = decoding->assessment;
	size_t i = assessment->n_connections++;
	struct backend *backend = &decoding->activity->backends[i];
	struct connection *connection = &assessment->connections[i];
	*backend = row->backend;
	backend->state = backend_state_parse(backend->state_text);
	*connection = row->connection;
	connection->backend = backend;
	connection->scanned = connection->in_scope = true;
	connection->seen_here = connection->end == CLIENT_END_HELD;
	connection->first_seen = assessment->now;
	connection->missed_at = connection->hidden_since = INSTANT_UNKNOWN;
	connection->client_awaited_since = INSTANT_UNKNOWN;
	set_owner(decoding, &row->owner, connection);
	decode_pools_connection(assessment, row, connection);
	assessment->n_leaked += connection->verdict.status == STATUS_LEAKED;
}

static int read_connections(struct decoding *decoding)
{
	struct assessment *assessment = decoding->assessment;
	struct activity *activity = decoding->activity;
	const json_t *array;
	size_t count;
	int r = begin(decoding, "connections", &array, &count);
	assessment->connections =
		arena_array(assessment->arena, count, sizeof(*assessment->connections));
	activity->backends = arena_array(activity->arena, count, sizeof(*activity->backends));
	decoding->reader.arena = activity->arena;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct connection_row row = { 0 };
		r = read_element(decoding, array, i, &connection_table, &row);
		if (r == 0)
			add_connection(decoding, &row);
	}
	activity->n_backends = assessment->n_connections;
	decoding->reader.arena = assessment->arena;
	return r;
}

static int read_waiters(struct decoding *decoding)
{
	struct assessment *assessment = decoding->assessment;
	const json_t *array;
	size_t count;
	int r = begin(decoding, "waiting", &array, &count);
	assessment->waiters = arena_array(assessment->arena, count, sizeof(*assessment->waiters));
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct waiter_row row = { 0 };
		r = read_element(decoding, array, i, &waiter_table, &row);
		if (r == 0)
			decode_pools_waiter(assessment, &row);
	}
	return r;
}

static int read_logins(struct decoding *decoding)
{
	struct assessment *assessment = decoding->assessment;
	const json_t *array;
	size_t count;
	int r = begin(decoding, "logging_in", &array, &count);
	assessment->logins = arena_array(assessment->arena, count, sizeof(*assessment->logins));
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct login_row row = { 0 };
		r = read_element(decoding, array, i, &login_table, &row);
		if (r < 0)
			break;
		uint32_t process = row.owner.present
			? map_get(decoding->processes, process_key(&row.owner.process))
			: NO_PROCESS;
		assessment->logins[assessment->n_logins++] = (struct login){
			.process = process,
			.client = row.client,
			.count = row.count,
		};
		if (process != NO_PROCESS)
			assessment->processes[process].logging_in += row.count;
	}
	return r;
}

static int read_sources(struct decoding *decoding)
{
	struct assessment *assessment = decoding->assessment;
	const json_t *array;
	size_t count;
	int r = begin(decoding, "sources", &array, &count);
	assessment->n_sources = count > SOURCE_COUNT ? count : SOURCE_COUNT;
	assessment->sources =
		arena_array(assessment->arena, assessment->n_sources, sizeof(*assessment->sources));
	for (size_t i = 0; i < assessment->n_sources; i++)
		assessment->sources[i].taken_at = INSTANT_UNKNOWN;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct source_row row = { 0 };
		r = read_element(decoding, array, i, &source_table, &row);
		if (row.age >= 0)
			row.state.taken_at = assessment->now - row.age;
		else
			row.state.taken_at = INSTANT_UNKNOWN;
		assessment->sources[i] = row.state;
	}
	return r;
}

/* The server had answered if the rows have an age. Otherwise there are no connections: their rows
 * are stored in the block of the answer. */
static void keep_activity(struct decoding *decoding)
{
	struct activity *activity = decoding->activity;
	const struct snapshot_row *head = &decoding->head;
	if (head->server.age < 0) {
		decoding->assessment->n_connections = decoding->assessment->n_leaked = 0;
		return;
	}
	activity->asked_at = activity->taken_at = head->taken_at;
	activity->server = (struct server_facts){
		.version = head->server.version,
		.max_connections = head->slots.slots.max,
		.reserved = head->slots.slots.reserved,
		.started_at = head->server.started_at,
		.clock = decoding->assessment->server_now,
	};
	decoding->assessment->activity = activity;
	decoding->activity = NULL;
}

static int read_all(struct decoding *decoding)
{
	/* connections and waiters refer to processes and pools */
	static int (*const readers[])(struct decoding * decoding) = {
		read_head,
		read_processes,
		read_pools,
		read_connections,
		read_waiters,
		read_logins,
		read_sources,
	};
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof(readers) / sizeof(readers[0]); i++)
		r = readers[i](decoding);
	if (r == 0)
		keep_activity(decoding);
	return r;
}

static int parse(
	const char *line, size_t length, json_t **ret_root, char error[static JSON_ERROR_MAX])
{
	json_error_t json_error;
	json_t *root = json_loadb(line, length, 0, &json_error);
	if (!root) {
		/* The error of jansson quotes the input, which is not clean; it is not shown. */
		snprintf(error, JSON_ERROR_MAX, "not JSON at byte %d", json_error.position);
		return -EINVAL;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		snprintf(error, JSON_ERROR_MAX, "not a JSON object");
		return -EINVAL;
	}
	*ret_root = root;
	return 0;
}

int decode(const char *line, size_t length, struct assessment **ret_assessment,
	char error[static JSON_ERROR_MAX])
{
	json_t *root;
	int r = parse(line, length, &root, error);
	if (r < 0)
		return r;
	struct arena *arena = arena_new();
	struct decoding decoding = {
		.reader = { .arena = arena, .index = JSON_NO_INDEX },
		.root = root,
		.assessment = arena_alloc(arena, sizeof(*decoding.assessment)),
		.activity = activity_new(),
	};
	decoding.assessment->arena = arena;
	r = read_all(&decoding);
	activity_unref(decoding.activity);
	json_decref(root);
	if (r < 0) {
		snprintf(error, JSON_ERROR_MAX, "%s", decoding.reader.error);
		assessment_free(decoding.assessment);
		return r;
	}
	*ret_assessment = decoding.assessment;
	return 0;
}
