/* Schema 1, key by key. */
#include "report/revive.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "report/revive_pools.h"

#define SCHEMA        1
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The words by number: what they name has a type of its own. */
#define WORDS(function, name, type)                                                                \
	static const char *function(unsigned int value)                                            \
	{                                                                                          \
		return name((type)value);                                                          \
	}
WORDS(server_status_word, server_status_name, enum server_status)
WORDS(source_status_word, source_status_name, enum source_status)
WORDS(status_word, status_name, enum status)
WORDS(reason_word, reason_name, enum reason)
WORDS(certainty_word, certainty_name, enum certainty)
WORDS(protection_word, protection_name, enum protection)
WORDS(kind_word, backend_kind_name, enum backend_kind)
WORDS(end_word, client_end_name, enum client_end)
WORDS(proxy_status_word, proxy_status_name, enum proxy_status)
WORDS(matched_by_word, matched_by_name, enum matched_by)

#define AT(type, member) offsetof(struct type, member)

/* What stands at the top and in "server", but for the words of server_state. */
struct head {
	int schema;
	int64_t taken_at, clock, started_at, age;
	int version;
	bool settled;
	const char *sqlstate;
};

static const struct field top_fields[] = {
	{ "schema", FIELD_COUNT, AT(head, schema) },
	{ "taken_at", FIELD_INSTANT, AT(head, taken_at) },
	{ "settled", FIELD_FLAG, AT(head, settled) },
};

static const struct field server_head_fields[] = {
	{ "version", FIELD_COUNT, AT(head, version) },
	{ "started_at", FIELD_INSTANT, AT(head, started_at) },
	{ "age_ms", FIELD_MS, AT(head, age) },
	{ "clock", FIELD_INSTANT, AT(head, clock) },
	{ "sqlstate", FIELD_NAME, AT(head, sqlstate) },
};

static const struct field server_fields[] = {
	{ "host", FIELD_NAME, AT(server_state, host) },
	{ "port", FIELD_COUNT, AT(server_state, port) },
	{ "database", FIELD_NAME, AT(server_state, database) },
	{ "user", FIELD_NAME, AT(server_state, user) },
	{ "status", FIELD_WORD, AT(server_state, status), server_status_word, SERVER_STALE + 1 },
	{ "error", FIELD_TEXT, AT(server_state, error) },
	{ "hint", FIELD_TEXT, AT(server_state, hint) },
	{ "retry_at", FIELD_INSTANT, AT(server_state, retry_at) },
	{ "latency_ms", FIELD_MS, AT(server_state, latency) },
};

static const struct field slots_fields[] = {
	{ "max", FIELD_COUNT, AT(slots, max) },
	{ "reserved", FIELD_COUNT, AT(slots, reserved) },
	{ "used", FIELD_COUNT, AT(slots, used) },
	{ "free", FIELD_COUNT, AT(slots, free) },
	{ "active", FIELD_COUNT, AT(slots, by_status[STATUS_ACTIVE]) },
	{ "idle", FIELD_COUNT, AT(slots, by_status[STATUS_IDLE]) },
	{ "idle_in_transaction", FIELD_COUNT, AT(slots, by_status[STATUS_IDLE_IN_TRANSACTION]) },
	{ "leaked", FIELD_COUNT, AT(slots, by_status[STATUS_LEAKED]) },
	{ "unknown", FIELD_COUNT, AT(slots, by_status[STATUS_UNKNOWN]) },
};

static const struct field limits_fields[] = {
	{ "idle_seconds", FIELD_SECONDS, AT(rules_limits, idle) },
	{ "transaction_seconds", FIELD_SECONDS, AT(rules_limits, transaction) },
	{ "held_seconds", FIELD_SECONDS, AT(rules_limits, held) },
};

static const struct field backend_fields[] = {
	{ "pid", FIELD_INT, AT(backend, pid) },
	{ "backend_start", FIELD_INSTANT, AT(backend, start) },
	{ "database", FIELD_NAME, AT(backend, database) },
	{ "user", FIELD_NAME, AT(backend, user) },
	{ "application_name", FIELD_NAME, AT(backend, application_name) },
	{ "state", FIELD_NAME, AT(backend, state_text) },
	{ "state_change", FIELD_INSTANT, AT(backend, state_change) },
	{ "xact_start", FIELD_INSTANT, AT(backend, xact_start) },
	{ "query_start", FIELD_INSTANT, AT(backend, query_start) },
	{ "wait_event_type", FIELD_NAME, AT(backend, wait_event_type) },
	{ "wait_event", FIELD_NAME, AT(backend, wait_event) },
	{ "query", FIELD_TEXT, AT(backend, query) },
	{ "kind", FIELD_WORD, AT(backend, kind), kind_word, BACKEND_KIND_COUNT },
};

static const struct field connection_fields[] = {
	{ "status", FIELD_WORD, AT(connection, verdict.status), status_word, STATUS_COUNT },
	{ "reason", FIELD_WORD, AT(connection, verdict.reason), reason_word, REASON_COUNT },
	{ "certainty", FIELD_WORD, AT(connection, verdict.certainty), certainty_word,
		CERTAINTY_PROVEN + 1 },
	{ "protected", FIELD_WORD, AT(connection, verdict.protection), protection_word,
		PROTECTION_COUNT },
	{ "seconds", FIELD_SECONDS, AT(connection, verdict.age) },
	{ "client_end", FIELD_WORD, AT(connection, end), end_word, CLIENT_END_COUNT },
};

/* "process" of a connection: which one it is; the rest stands in "processes". */
struct holder {
	int32_t pid;
	uint64_t start_ticks;
	enum matched_by matched_by;
};

static const struct field holder_fields[] = {
	{ "pid", FIELD_INT, AT(holder, pid) },
	{ "start_ticks", FIELD_TICKS, AT(holder, start_ticks) },
	{ "matched_by", FIELD_WORD, AT(holder, matched_by), matched_by_word, MATCHED_COUNT },
};

static const struct field process_fields[] = {
	{ "pid", FIELD_INT, AT(client_process, process.pid) },
	{ "name", FIELD_NAME, AT(client_process, process.name) },
	{ "command", FIELD_NAME, AT(client_process, process.command) },
	{ "user", FIELD_NAME, AT(client_process, process.user) },
	{ "cpu_percent", FIELD_PERCENT, AT(client_process, process.cpu_percent) },
	{ "rss_bytes", FIELD_LARGE, AT(client_process, process.rss_bytes) },
	{ "connections", FIELD_UNSIGNED, AT(client_process, connections) },
	{ "leaked", FIELD_UNSIGNED, AT(client_process, leaked) },
	{ "alive", FIELD_FLAG, AT(client_process, alive) },
	{ "start_ticks", FIELD_TICKS, AT(client_process, process.start_ticks) },
	{ "started_at", FIELD_INSTANT, AT(client_process, process.started_at) },
	{ "ended_at", FIELD_INSTANT, AT(client_process, process.ended_at) },
	{ "unit", FIELD_NAME, AT(client_process, process.unit) },
	{ "container", FIELD_NAME, AT(client_process, process.container) },
};

/* "sources", with its age for the instant that it is kept as. */
struct source {
	struct source_state state;
	int64_t age;
};

static const struct field source_fields[] = {
	{ "name", FIELD_NAME, AT(source, state.name) },
	{ "status", FIELD_WORD, AT(source, state.status), source_status_word, SOURCE_FAILED + 1 },
	{ "age_ms", FIELD_MS, AT(source, age) },
	{ "error", FIELD_TEXT, AT(source, state.error) },
};

struct recorded_proxy {
	enum proxy_status status;
	int32_t pid, port;
	int64_t latency;
	const char *detail;
};

static const struct field proxy_fields[] = {
	{ "status", FIELD_WORD, AT(recorded_proxy, status), proxy_status_word, PROXY_SERVING + 1 },
	{ "pid", FIELD_INT, AT(recorded_proxy, pid) },
	{ "port", FIELD_INT, AT(recorded_proxy, port) },
	{ "latency_ms", FIELD_MS, AT(recorded_proxy, latency) },
	{ "detail", FIELD_NAME, AT(recorded_proxy, detail) },
};

struct revival {
	struct reader reader;
	const json_t *root;
	struct assessment *assessment;
	struct activity *activity; /* what becomes the assessment's */
	struct map *processes;     /* pid and start → index */
	struct head head;
};

static int read_server(struct revival *revival)
{
	struct reader *reader = &revival->reader;
	struct head *head = &revival->head;
	struct server_state *server = &revival->assessment->server;
	const json_t *object;
	int r = reader_fields(reader, revival->root, top_fields, LENGTH(top_fields), head);
	if (r == 0 && head->schema != SCHEMA)
		r = reader_refuse(reader, "schema", "1: a line of dbtop --json");
	if (r == 0 && head->taken_at == INSTANT_UNKNOWN)
		r = reader_refuse(reader, "taken_at", "an instant");
	if (r == 0)
		r = reader_object(reader, revival->root, "server", &object);
	reader->where = "server";
	if (r == 0)
		r = reader_fields(reader, object, server_fields, LENGTH(server_fields), server);
	if (r == 0)
		r = reader_fields(
			reader, object, server_head_fields, LENGTH(server_head_fields), head);
	if (r < 0)
		return r;
	snprintf(server->sqlstate, sizeof(server->sqlstate), "%s",
		head->sqlstate ? head->sqlstate : "");
	if (server->port < 0)
		server->port = 0;
	revival->assessment->settled = head->settled;
	revival->assessment->now = head->taken_at + (head->age > 0 ? head->age : 0);
	revival->assessment->server_now =
		head->clock == INSTANT_UNKNOWN ? revival->assessment->now : head->clock;
	return 0;
}

static int read_part(struct revival *revival, const char *key, const struct field *fields,
	size_t n_fields, void *ret_struct)
{
	const json_t *object;
	revival->reader.where = NULL;
	int r = reader_object(&revival->reader, revival->root, key, &object);
	revival->reader.where = key;
	return r < 0 ? r : reader_fields(&revival->reader, object, fields, n_fields, ret_struct);
}

/* The elements of an array; *ret_array has room for all of them. */
static int begin_array(
	struct revival *revival, const char *key, const json_t **ret_array, size_t *ret_count)
{
	revival->reader.where = NULL;
	int r = reader_array(&revival->reader, revival->root, key, ret_array);
	revival->reader.where = key;
	*ret_count = r == 0 ? json_array_size(*ret_array) : 0;
	return r;
}

static uint64_t process_key(int32_t pid, uint64_t start_ticks)
{
	return map_mix((uint64_t)pid, start_ticks);
}

static int read_processes(struct revival *revival)
{
	struct assessment *assessment = revival->assessment;
	const json_t *array;
	size_t count;
	int r = begin_array(revival, "processes", &array, &count);
	assessment->processes =
		arena_array(assessment->arena, count, sizeof(*assessment->processes));
	revival->processes = map_new(assessment->arena, count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct client_process *client = &assessment->processes[i];
		revival->reader.index = i;
		r = reader_fields(&revival->reader, json_array_get(array, i), process_fields,
			LENGTH(process_fields), client);
		map_set(revival->processes,
			process_key(client->process.pid, client->process.start_ticks), (uint32_t)i);
		assessment->n_processes += r == 0;
	}
	revival->reader.index = READER_NO_INDEX;
	return r;
}

static int read_holder(struct revival *revival, const json_t *object, struct connection *connection)
{
	const json_t *process;
	struct holder holder;
	int r = reader_object(&revival->reader, object, "process", &process);
	connection->process = NO_PROCESS;
	if (r < 0 || !process)
		return r;
	r = reader_fields(&revival->reader, process, holder_fields, LENGTH(holder_fields), &holder);
	if (r < 0)
		return r;
	connection->process =
		map_get(revival->processes, process_key(holder.pid, holder.start_ticks));
	connection->matched_by =
		connection->process == NO_PROCESS ? MATCHED_NONE : holder.matched_by;
	return 0;
}

static int read_connection(struct revival *revival, const json_t *object,
	struct connection *connection, struct backend *backend)
{
	struct reader *reader = &revival->reader;
	int r = reader_fields(reader, object, backend_fields, LENGTH(backend_fields), backend);
	if (r == 0)
		r = reader_endpoint(reader, object, &backend->client);
	if (r == 0)
		r = reader_fields(
			reader, object, connection_fields, LENGTH(connection_fields), connection);
	if (r == 0)
		r = read_holder(revival, object, connection);
	if (r == 0)
		r = revive_pools_connection(reader, object, revival->assessment, connection);
	if (r < 0)
		return r;
	backend->state = backend_state_parse(backend->state_text);
	connection->backend = backend;
	connection->looked = connection->in_scope = true;
	connection->seen_here = connection->end == CLIENT_END_HELD;
	connection->first_seen = revival->assessment->now;
	connection->missed_at = connection->hidden_since = INSTANT_UNKNOWN;
	revival->assessment->n_leaked += connection->verdict.status == STATUS_LEAKED;
	return 0;
}

static int read_connections(struct revival *revival)
{
	struct assessment *assessment = revival->assessment;
	const json_t *array;
	size_t count;
	int r = begin_array(revival, "connections", &array, &count);
	assessment->connections =
		arena_array(assessment->arena, count, sizeof(*assessment->connections));
	revival->activity->backends =
		arena_array(revival->activity->arena, count, sizeof(*revival->activity->backends));
	revival->reader.arena = revival->activity->arena;
	for (size_t i = 0; r == 0 && i < count; i++) {
		revival->reader.index = i;
		r = read_connection(revival, json_array_get(array, i), &assessment->connections[i],
			&revival->activity->backends[i]);
		assessment->n_connections += r == 0;
	}
	revival->activity->n_backends = assessment->n_connections;
	revival->reader.arena = assessment->arena;
	revival->reader.index = READER_NO_INDEX;
	return r;
}

/* None is null: what was not worth a word then is not worth one now. */
static int read_proxy(struct revival *revival)
{
	const json_t *object;
	struct recorded_proxy read;
	revival->reader.where = NULL;
	int r = reader_object(&revival->reader, revival->root, "proxy", &object);
	revival->reader.where = "proxy";
	if (r < 0 || !object)
		return r;
	r = reader_fields(&revival->reader, object, proxy_fields, LENGTH(proxy_fields), &read);
	if (r < 0)
		return r;
	struct proxy *proxy = proxy_new();
	proxy->expected = true;
	proxy->wanted = "the proxy";
	proxy->status = read.status;
	proxy->port = (uint16_t)read.port;
	proxy->process.pid = read.pid;
	proxy->process.started_at = proxy->process.ended_at = INSTANT_UNKNOWN;
	proxy->latency = read.latency;
	if (read.latency >= 0)
		proxy->proven_at = revival->assessment->now;
	proxy->detail = arena_strdup(proxy->arena, read.detail);
	revival->assessment->proxy = proxy;
	return 0;
}

static int read_sources(struct revival *revival)
{
	struct assessment *assessment = revival->assessment;
	const json_t *array;
	size_t count;
	int r = begin_array(revival, "sources", &array, &count);
	assessment->n_sources = count > SOURCE_COUNT ? count : SOURCE_COUNT;
	assessment->sources =
		arena_array(assessment->arena, assessment->n_sources, sizeof(*assessment->sources));
	for (size_t i = 0; i < assessment->n_sources; i++)
		assessment->sources[i].taken_at = INSTANT_UNKNOWN;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct source source;
		revival->reader.index = i;
		r = reader_fields(&revival->reader, json_array_get(array, i), source_fields,
			LENGTH(source_fields), &source);
		source.state.taken_at =
			source.age < 0 ? INSTANT_UNKNOWN : assessment->now - source.age;
		assessment->sources[i] = source.state;
	}
	revival->reader.index = READER_NO_INDEX;
	return r;
}

/* There was an answer of the server if it had an age. */
static void keep_activity(struct revival *revival)
{
	struct activity *activity = revival->activity;
	const struct head *head = &revival->head;
	if (head->age < 0)
		return;
	activity->asked_at = activity->taken_at = head->taken_at;
	activity->server = (struct server_facts){
		.version = head->version,
		.max_connections = revival->assessment->slots.max,
		.reserved = revival->assessment->slots.reserved,
		.started_at = head->started_at,
		.clock = revival->assessment->server_now,
	};
	revival->assessment->activity = activity;
	revival->activity = NULL;
}

static int read_all(struct revival *revival)
{
	struct assessment *assessment = revival->assessment;
	int r = read_server(revival);
	if (r == 0)
		r = read_part(
			revival, "slots", slots_fields, LENGTH(slots_fields), &assessment->slots);
	if (r == 0)
		r = read_part(revival, "limits", limits_fields, LENGTH(limits_fields),
			&assessment->limits);
	if (r == 0)
		r = read_processes(revival);
	if (r == 0)
		r = revive_pools(&revival->reader, revival->root, assessment);
	if (r == 0)
		r = read_connections(revival);
	if (r == 0)
		r = revive_pools_waiting(&revival->reader, revival->root, assessment);
	if (r == 0)
		r = read_proxy(revival);
	if (r == 0)
		r = read_sources(revival);
	return r;
}

static int parse(
	const char *line, size_t length, json_t **ret_root, char error[static READER_ERROR_MAX])
{
	json_error_t json_error;
	json_t *root = json_loadb(line, length, 0, &json_error);
	if (!root) {
		/* jansson quotes what it stumbled over: that is not ours to show */
		snprintf(error, READER_ERROR_MAX, "not JSON at byte %d", json_error.position);
		return -EINVAL;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		snprintf(error, READER_ERROR_MAX, "not a JSON object");
		return -EINVAL;
	}
	*ret_root = root;
	return 0;
}

int revive(const char *line, size_t length, struct assessment **ret_assessment,
	char error[static READER_ERROR_MAX])
{
	json_t *root;
	int r = parse(line, length, &root, error);
	if (r < 0)
		return r;
	struct arena *arena = arena_new();
	struct revival revival = {
		.reader = { .arena = arena, .index = READER_NO_INDEX },
		.root = root,
		.assessment = arena_alloc(arena, sizeof(*revival.assessment)),
		.activity = activity_new(),
	};
	revival.assessment->arena = arena;
	r = read_all(&revival);
	if (r == 0)
		keep_activity(&revival);
	activity_unref(revival.activity);
	json_decref(root);
	if (r < 0) {
		snprintf(error, READER_ERROR_MAX, "%s", revival.reader.error);
		assessment_free(revival.assessment);
		return r;
	}
	*ret_assessment = revival.assessment;
	return 0;
}
