/* Reads processes and connections from JSON. A recorded connection names its process by pid and
 * start; "processes" describes it. */
#include "report/revive_connections.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"
#include "report/reader.h"
#include "report/revive_pools.h"

#define LENGTH(array)    (sizeof(array) / sizeof((array)[0]))
#define AT(type, member) offsetof(struct type, member)

/* The enums' words by number, for the tables. */
#define WORDS(function, name, type)                                                                \
	static const char *function(unsigned int value)                                            \
	{                                                                                          \
		return name((type)value);                                                          \
	}
WORDS(status_word, status_name, enum status)
WORDS(reason_word, reason_name, enum reason)
WORDS(certainty_word, certainty_name, enum certainty)
WORDS(protection_word, protection_name, enum protection)
WORDS(kind_word, backend_kind_name, enum backend_kind)
WORDS(end_word, client_end_name, enum client_end)
WORDS(matched_by_word, matched_by_name, enum matched_by)

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
		CERTAINTY_COUNT },
	{ "protected", FIELD_WORD, AT(connection, verdict.protection), protection_word,
		PROTECTION_COUNT },
	{ "seconds", FIELD_SECONDS, AT(connection, verdict.age) },
	{ "evidence", FIELD_NAME, AT(connection, evidence) },
	{ "client_end", FIELD_WORD, AT(connection, end), end_word, CLIENT_END_COUNT },
};

/* Reads "process" of a connection, which only identifies it; the details are in "processes". */
struct owner {
	int32_t pid;
	uint64_t start_ticks;
	enum matched_by matched_by;
};

static const struct field owner_fields[] = {
	{ "pid", FIELD_INT, AT(owner, pid) },
	{ "start_ticks", FIELD_TICKS, AT(owner, start_ticks) },
	{ "matched_by", FIELD_WORD, AT(owner, matched_by), matched_by_word, MATCHED_COUNT },
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

static uint64_t process_key(int32_t pid, uint64_t start_ticks)
{
	return map_mix((uint64_t)pid, start_ticks);
}

int revive_processes(struct reader *reader, const json_t *root, struct assessment *assessment,
	struct map **ret_processes)
{
	const json_t *array;
	size_t count;
	int r = reader_begin(reader, root, "processes", &array, &count);
	assessment->processes =
		arena_array(assessment->arena, count, sizeof(*assessment->processes));
	*ret_processes = map_new(assessment->arena, count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct client_process *client = &assessment->processes[i];
		reader->index = i;
		r = reader_fields(reader, json_array_get(array, i), process_fields,
			LENGTH(process_fields), client);
		map_set(*ret_processes,
			process_key(client->process.pid, client->process.start_ticks), (uint32_t)i);
		assessment->n_processes += r == 0;
	}
	reader->index = READER_NO_INDEX;
	return r;
}

static int read_owner(struct reader *reader, const json_t *object, const struct map *processes,
	struct connection *connection)
{
	const json_t *process;
	struct owner owner;
	int r = reader_object(reader, object, "process", &process);
	connection->process = NO_PROCESS;
	if (r < 0 || !process)
		return r;
	r = reader_fields(reader, process, owner_fields, LENGTH(owner_fields), &owner);
	if (r < 0)
		return r;
	connection->process = map_get(processes, process_key(owner.pid, owner.start_ticks));
	connection->matched_by =
		connection->process == NO_PROCESS ? MATCHED_NONE : owner.matched_by;
	return 0;
}

static int read_connection(struct reader *reader, const json_t *object, const struct map *processes,
	struct assessment *assessment, struct connection *connection, struct backend *backend)
{
	int r = reader_fields(reader, object, backend_fields, LENGTH(backend_fields), backend);
	if (r == 0)
		r = reader_endpoint(reader, object, &backend->client);
	if (r == 0)
		r = reader_fields(
			reader, object, connection_fields, LENGTH(connection_fields), connection);
	if (r == 0)
		r = read_owner(reader, object, processes, connection);
	if (r == 0)
		r = revive_pools_connection(reader, object, assessment, connection);
	if (r < 0)
		return r;
	backend->state = backend_state_parse(backend->state_text);
	connection->backend = backend;
	connection->scanned = connection->in_scope = true;
	connection->seen_here = connection->end == CLIENT_END_HELD;
	connection->first_seen = assessment->now;
	connection->missed_at = connection->hidden_since = INSTANT_UNKNOWN;
	assessment->n_leaked += connection->verdict.status == STATUS_LEAKED;
	return 0;
}

int revive_connections(struct reader *reader, const json_t *root, const struct map *processes,
	struct assessment *assessment, struct activity *activity)
{
	const json_t *array;
	size_t count;
	int r = reader_begin(reader, root, "connections", &array, &count);
	assessment->connections =
		arena_array(assessment->arena, count, sizeof(*assessment->connections));
	activity->backends = arena_array(activity->arena, count, sizeof(*activity->backends));
	reader->arena = activity->arena;
	for (size_t i = 0; r == 0 && i < count; i++) {
		reader->index = i;
		r = read_connection(reader, json_array_get(array, i), processes, assessment,
			&assessment->connections[i], &activity->backends[i]);
		assessment->n_connections += r == 0;
	}
	activity->n_backends = assessment->n_connections;
	reader->arena = assessment->arena;
	reader->index = READER_NO_INDEX;
	return r;
}
