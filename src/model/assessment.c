/* The words of the assessment, and how it is freed. */
#include "model/assessment.h"

#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/lock.h"
#include "model/proxy.h"
#include "model/session_ends.h"

static const char *const server_status_names[] = {
	[SERVER_CONNECTING] = "connecting",
	[SERVER_OK] = "ok",
	[SERVER_FULL] = "full",
	[SERVER_ROLE_LIMIT] = "role_limit",
	[SERVER_DATABASE_LIMIT] = "database_limit",
	[SERVER_REFUSED] = "refused",
	[SERVER_DENIED] = "denied",
	[SERVER_STALE] = "stale",
};

static const char *const source_status_names[] = {
	[SOURCE_WAITING] = "waiting",
	[SOURCE_OK] = "ok",
	[SOURCE_STALE] = "stale",
	[SOURCE_FAILED] = "failed",
};

static const char *const matched_by_names[] = {
	[MATCHED_PAGE] = "page",
	[MATCHED_TCP] = "tcp",
	[MATCHED_UNIX] = "unix",
	[MATCHED_NAT] = "nat",
	[MATCHED_NAMESPACE] = "namespace",
	[MATCHED_PGBOUNCER] = "pgbouncer",
	[MATCHED_PROXY] = "proxy",
	[MATCHED_NAME] = "name",
	[MATCHED_HOST] = "host",
	[MATCHED_FORWARDER] = "forwarder",
};

static const char *const client_end_names[] = {
	[CLIENT_END_UNKNOWN] = "unknown",
	[CLIENT_END_ELSEWHERE] = "elsewhere",
	[CLIENT_END_NOT_VISIBLE] = "not_visible",
	[CLIENT_END_HELD] = "held",
	[CLIENT_END_GONE] = "gone",
};

const char *client_end_name(enum client_end end)
{
	return client_end_names[end];
}

const char *server_status_name(enum server_status status)
{
	return server_status_names[status];
}

const char *server_status_words(enum server_status status)
{
	return status == SERVER_ROLE_LIMIT        ? "role limit"
		: status == SERVER_DATABASE_LIMIT ? "database limit"
						  : server_status_names[status];
}

const char *source_status_name(enum source_status status)
{
	return source_status_names[status];
}

const char *matched_by_name(enum matched_by matched_by)
{
	return matched_by_names[matched_by];
}

const struct client_process *assessment_process(
	const struct assessment *assessment, const struct connection *connection)
{
	if (connection->process == NO_PROCESS)
		return NULL;
	return &assessment->processes[connection->process];
}

const struct client_process *assessment_local_process(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *found = assessment_process(assessment, connection);
	return found && !found->process.host ? found : NULL;
}

bool verdict_is_old(const struct verdict *verdict, const struct rules_limits *limits)
{
	int64_t limit = verdict->status == STATUS_IDLE          ? limits->idle
		: verdict->status == STATUS_IDLE_IN_TRANSACTION ? limits->transaction
								: 0;
	return limit > 0 && !verdict->protection && verdict->age > limit / 2;
}

struct slots slots_unknown(void)
{
	struct slots slots = {
		.max = -1,
		.reserved = -1,
		.used = -1,
		.free = -1,
		.used_at_most = -1,
		.free_at_least = -1,
		.logging_in = -1,
	};
	for (int i = 0; i < STATUS_COUNT; i++)
		slots.by_status[i] = -1;
	return slots;
}

const char *slot_limit_kind_name(enum slot_limit_kind kind)
{
	static const char *const names[SLOT_LIMIT_KIND_COUNT] = { "role", "database" };
	return names[kind];
}

int slot_limit_left(const struct slot_limit *limit)
{
	return limit->used_at_most < limit->limit ? limit->limit - limit->used_at_most : 0;
}

const struct slot_limit *assessment_binding_limit(const struct assessment *assessment)
{
	const struct slot_limit *tightest = assessment->slot_limits;
	int free = assessment->slots.free_at_least;
	if (!assessment->n_slot_limits || tightest->limit < 0)
		return NULL;
	return free < 0 || slot_limit_left(tightest) < free ? tightest : NULL;
}

int64_t assessment_oldest_transaction(const struct assessment *assessment)
{
	int64_t oldest = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		int64_t age = connection->backend->kind == BACKEND_CLIENT &&
				connection->verdict.protection != PROTECTION_OWN
			? instant_elapsed(connection->backend->xact_start, assessment->server_now)
			: -1;
		if (age > oldest)
			oldest = age;
	}
	return oldest;
}

int assessment_count_lock_waits(const struct assessment *assessment)
{
	int count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const char *type = assessment->connections[i].backend->wait_event_type;
		count += type && strcmp(type, "Lock") == 0;
	}
	return count;
}

const char *assessment_server(const struct assessment *assessment, struct arena *arena)
{
	const struct server_state *server = &assessment->server;
	return arena_printf(arena, "%s @ %s:%d", server->database ? server->database : "?",
		server->host ? server->host : "?", server->port);
}

const char *assessment_server_name(const struct assessment *assessment, struct arena *arena)
{
	const char *name = assessment->server.name;
	return name ? name : assessment_server(assessment, arena);
}

void assessment_free(struct assessment *assessment)
{
	if (!assessment)
		return;
	activity_unref(assessment->activity);
	peers_unref(assessment->peers);
	pool_pages_unref(assessment->pages);
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		bouncer_unref(assessment->bouncers[i]);
	for (size_t i = 0; i < assessment->n_hosts; i++)
		host_ends_unref(assessment->hosts[i].latest);
	lock_table_unref(assessment->locks);
	session_ends_unref(assessment->session_ends);
	proxy_unref(assessment->proxy);
	arena_free(assessment->arena);
}
