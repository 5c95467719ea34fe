/* Reads the keys of schema 1 into an assessment. */
#include "report/revive.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "report/revive_connections.h"
#include "report/revive_pools.h"

#define SCHEMA        1
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The enums' words by number, for the tables. */
#define WORDS(function, name, type)                                                                \
	static const char *function(unsigned int value)                                            \
	{                                                                                          \
		return name((type)value);                                                          \
	}
WORDS(server_status_word, server_status_name, enum server_status)
WORDS(source_status_word, source_status_name, enum source_status)
WORDS(proxy_status_word, proxy_status_name, enum proxy_status)

#define AT(type, member) offsetof(struct type, member)

/* The fields at the top and in "server", except for the words of server_state. */
struct head {
	int schema;
	int64_t taken_at, clock, started_at, age;
	int version;
	bool complete;
	const char *sqlstate;
};

static const struct field top_fields[] = {
	{ "schema", FIELD_COUNT, AT(head, schema) },
	{ "taken_at", FIELD_INSTANT, AT(head, taken_at) },
	{ "settled", FIELD_FLAG, AT(head, complete) },
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
	{ "pooler", FIELD_FLAG, AT(server_state, pooler) },
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

/* Reads "sources"; an age becomes the instant that is stored. */
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
	struct activity *activity; /* set as the assessment's activity */
	struct map *processes;     /* pid and start → index of the process */
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
	revival->assessment->complete = head->complete;
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

/* A snapshot without a proxy leaves the proxy NULL. */
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
	int r = reader_begin(&revival->reader, revival->root, "sources", &array, &count);
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

/* The server had answered if the source has an age. Otherwise there are no connections: their rows
 * are stored in the block of the answer. */
static void keep_activity(struct revival *revival)
{
	struct activity *activity = revival->activity;
	const struct head *head = &revival->head;
	if (head->age < 0) {
		revival->assessment->n_connections = revival->assessment->n_leaked = 0;
		return;
	}
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
		r = revive_processes(
			&revival->reader, revival->root, assessment, &revival->processes);
	if (r == 0)
		r = revive_pools(&revival->reader, revival->root, assessment);
	if (r == 0)
		r = revive_connections(&revival->reader, revival->root, revival->processes,
			assessment, revival->activity);
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
		/* The error of jansson quotes the input, which is not clean; it is not shown. */
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
