/* Writes the JSON of a snapshot: each key of schema 1, in the documented order. */
#include "report/snapshot.h"

#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "report/encoder.h"
#include "report/snapshot_pools.h"
#include "report/stream.h"

#define SCHEMA 1

static int64_t taken_at(const struct assessment *assessment)
{
	return assessment->activity ? assessment->activity->taken_at : INSTANT_UNKNOWN;
}

static void put_server(struct encoder *encoder, const struct assessment *assessment)
{
	const struct server_state *server = &assessment->server;
	const struct activity *activity = assessment->activity;
	encoder_open(encoder, "server", '{');
	encoder_string(encoder, "host", server->host);
	encoder_count(encoder, "port", server->port > 0 ? server->port : -1);
	encoder_string(encoder, "database", server->database);
	encoder_count(encoder, "version", activity ? activity->server.version : -1);
	encoder_instant(
		encoder, "started_at", activity ? activity->server.started_at : INSTANT_UNKNOWN);
	encoder_string(encoder, "status", server_status_name(server->status));
	encoder_milliseconds(
		encoder, "age_ms", instant_elapsed(taken_at(assessment), assessment->now));
	encoder_string(encoder, "error", server->error);
	encoder_boolean(encoder, "pooler", server->pooler);
	encoder_string(encoder, "sqlstate", server->sqlstate[0] ? server->sqlstate : NULL);
	encoder_string(encoder, "hint", server->hint);
	encoder_instant(encoder, "retry_at", server->retry_at);
	encoder_string(encoder, "user", server->user);
	encoder_exact_ms(encoder, "latency_ms", server->latency);
	encoder_instant(encoder, "clock", assessment->server_now);
	encoder_close(encoder, '}');
}

static void put_slots(struct encoder *encoder, const struct slots *slots)
{
	encoder_open(encoder, "slots", '{');
	encoder_count(encoder, "max", slots->max);
	encoder_count(encoder, "reserved", slots->reserved);
	encoder_count(encoder, "used", slots->used);
	encoder_count(encoder, "free", slots->free);
	encoder_count(encoder, "active", slots->by_status[STATUS_ACTIVE]);
	encoder_count(encoder, "idle", slots->by_status[STATUS_IDLE]);
	encoder_count(encoder, "idle_in_transaction", slots->by_status[STATUS_IDLE_IN_TRANSACTION]);
	encoder_count(encoder, "leaked", slots->by_status[STATUS_LEAKED]);
	encoder_count(encoder, "unknown", slots->by_status[STATUS_UNKNOWN]);
	encoder_close(encoder, '}');
}

/* The port as PostgreSQL reports it: −1 for a Unix socket, null if it is hidden. */
static void put_client(struct encoder *encoder, const struct endpoint *client)
{
	char address[ENDPOINT_TEXT_MAX];
	endpoint_address(client, address);
	encoder_string(encoder, "client_addr", address[0] ? address : NULL);
	if (client->family == AF_UNSPEC)
		encoder_null(encoder, "client_port");
	else
		encoder_integer(
			encoder, "client_port", client->family == AF_UNIX ? -1 : client->port);
}

static void put_backend(struct encoder *encoder, const struct backend *backend,
	const struct snapshot_options *options)
{
	encoder_integer(encoder, "pid", backend->pid);
	encoder_instant(encoder, "backend_start", backend->start);
	encoder_string(encoder, "database", backend->database);
	encoder_string(encoder, "user", backend->user);
	encoder_string(encoder, "application_name", backend->application_name);
	put_client(encoder, &backend->client);
	encoder_string(encoder, "state", backend->state_text);
	encoder_instant(encoder, "state_change", backend->state_change);
	encoder_instant(encoder, "xact_start", backend->xact_start);
	encoder_instant(encoder, "query_start", backend->query_start);
	encoder_string(encoder, "wait_event_type", backend->wait_event_type);
	encoder_string(encoder, "wait_event", backend->wait_event);
	encoder_string(encoder, "query", options->no_query_text ? NULL : backend->query);
}

static void put_verdict(struct encoder *encoder, const struct connection *connection)
{
	const struct verdict *verdict = &connection->verdict;
	encoder_string(encoder, "status", status_name(verdict->status));
	encoder_string(encoder, "reason", reason_name(verdict->reason));
	encoder_string(encoder, "certainty", certainty_name(verdict->certainty));
	encoder_string(encoder, "protected", protection_name(verdict->protection));
	encoder_seconds(encoder, "seconds", verdict->age);
	encoder_string(encoder, "evidence", connection->evidence);
}

static void put_owner(
	struct encoder *encoder, const struct process *process, enum matched_by matched_by)
{
	encoder_open(encoder, "process", '{');
	encoder_integer(encoder, "pid", process->pid);
	encoder_integer(encoder, "start_ticks", (int64_t)process->start_ticks);
	encoder_string(encoder, "name", process->name);
	encoder_string(encoder, "command", process->command);
	encoder_string(encoder, "user", process->user);
	encoder_string(encoder, "unit", process->unit);
	encoder_string(encoder, "container", process->container);
	encoder_string(encoder, "matched_by", matched_by_name(matched_by));
	encoder_close(encoder, '}');
}

static void put_connection(struct encoder *encoder, const struct assessment *assessment,
	const struct connection *connection, const struct snapshot_options *options)
{
	const struct client_process *owner = assessment_process(assessment, connection);
	encoder_open(encoder, NULL, '{');
	put_backend(encoder, connection->backend, options);
	put_verdict(encoder, connection);
	if (owner)
		put_owner(encoder, &owner->process, connection->matched_by);
	else
		encoder_null(encoder, "process");
	snapshot_pools_put_connection(encoder, assessment, connection);
	encoder_string(encoder, "kind", backend_kind_name(connection->backend->kind));
	encoder_string(encoder, "client_end", client_end_name(connection->end));
	encoder_close(encoder, '}');
}

static void put_connections(struct encoder *encoder, const struct assessment *assessment,
	const struct snapshot_options *options)
{
	encoder_open(encoder, "connections", '[');
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].in_scope)
			put_connection(encoder, assessment, &assessment->connections[i], options);
	encoder_close(encoder, ']');
}

static void put_process(struct encoder *encoder, const struct client_process *client)
{
	encoder_open(encoder, NULL, '{');
	encoder_integer(encoder, "pid", client->process.pid);
	encoder_string(encoder, "name", client->process.name);
	encoder_string(encoder, "command", client->process.command);
	encoder_string(encoder, "user", client->process.user);
	encoder_percent(encoder, "cpu_percent", client->process.cpu_percent);
	encoder_count(encoder, "rss_bytes", client->process.rss_bytes);
	encoder_integer(encoder, "connections", client->connections);
	encoder_integer(encoder, "leaked", client->leaked);
	encoder_boolean(encoder, "alive", client->alive);
	encoder_integer(encoder, "start_ticks", (int64_t)client->process.start_ticks);
	encoder_instant(encoder, "started_at", client->process.started_at);
	encoder_instant(encoder, "ended_at", client->process.ended_at);
	encoder_string(encoder, "unit", client->process.unit);
	encoder_string(encoder, "container", client->process.container);
	encoder_close(encoder, '}');
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

static void put_processes(struct encoder *encoder, const struct assessment *assessment)
{
	CLEANUP(cleanup_free) bool *waiting = find_waiting(assessment);
	encoder_open(encoder, "processes", '[');
	for (size_t i = 0; i < assessment->n_processes; i++)
		if (assessment->processes[i].connections > 0 || waiting[i])
			put_process(encoder, &assessment->processes[i]);
	encoder_close(encoder, ']');
}

static void put_sources(struct encoder *encoder, const struct assessment *assessment)
{
	encoder_open(encoder, "sources", '[');
	for (size_t i = 0; i < assessment->n_sources; i++) {
		const struct source_state *source = &assessment->sources[i];
		encoder_open(encoder, NULL, '{');
		encoder_string(encoder, "name", source->name);
		encoder_string(encoder, "status", source_status_name(source->status));
		encoder_milliseconds(
			encoder, "age_ms", instant_elapsed(source->taken_at, assessment->now));
		encoder_string(encoder, "error", source->error);
		encoder_close(encoder, '}');
	}
	encoder_close(encoder, ']');
}

static void put_proxy(struct encoder *encoder, const struct proxy *proxy)
{
	if (!proxy_is_shown(proxy)) {
		encoder_null(encoder, "proxy");
		return;
	}
	encoder_open(encoder, "proxy", '{');
	encoder_string(encoder, "status", proxy_status_name(proxy->status));
	encoder_count(encoder, "pid", proxy->process.pid ? proxy->process.pid : -1);
	encoder_integer(encoder, "port", proxy->port);
	encoder_exact_ms(encoder, "latency_ms", proxy->latency);
	encoder_string(encoder, "detail", proxy->detail);
	encoder_close(encoder, '}');
}

static void put_limits(struct encoder *encoder, const struct rules_limits *limits)
{
	encoder_open(encoder, "limits", '{');
	encoder_seconds(encoder, "idle_seconds", limits->idle);
	encoder_seconds(encoder, "transaction_seconds", limits->transaction);
	encoder_seconds(encoder, "held_seconds", limits->held);
	encoder_close(encoder, '}');
}

int snapshot_print(
	const struct assessment *assessment, const struct snapshot_options *options, FILE *file)
{
	struct encoder encoder = { .file = file };
	int64_t taken = taken_at(assessment);
	encoder_open(&encoder, NULL, '{');
	encoder_integer(&encoder, "schema", SCHEMA);
	/* Without an answer of the server, this is when the assessment was made. */
	encoder_instant(&encoder, "taken_at", taken == INSTANT_UNKNOWN ? assessment->now : taken);
	put_server(&encoder, assessment);
	put_slots(&encoder, &assessment->slots);
	put_connections(&encoder, assessment, options);
	put_processes(&encoder, assessment);
	snapshot_pools_put(&encoder, assessment);
	put_proxy(&encoder, assessment->proxy);
	put_sources(&encoder, assessment);
	put_limits(&encoder, &assessment->limits);
	encoder_boolean(&encoder, "settled", assessment->complete);
	snapshot_pools_put_waiting(&encoder, assessment);
	encoder_close(&encoder, '}');
	putc('\n', file);
	return stream_flush(file);
}
