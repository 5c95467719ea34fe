/* The evidence of one connection, from the joined sources. */
#include "analyze/evidence.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/proxy.h"

/* /proc counts a process's start in ticks of 10 ms from a boot time that is rounded, too. */
#define START_TOLERANCE (2 * USEC_PER_SEC)

static bool is_reserve(const struct connection *connection)
{
	return connection->slot && connection->slot->state == POOL_SLOT_RESERVE &&
		connection->pool->page->status == POOL_PAGE_LIVE;
}

/* How long the pool has lent the connection. The page must have been read after the row: a lease
 * that began before the row and still lasts existed when the row was taken. −1 otherwise. */
static int64_t held_for(const struct assessment *assessment, const struct connection *connection)
{
	const struct pool_slot *slot = connection->slot;
	const struct pool_page *page = slot ? connection->pool->page : NULL;
	if (!slot || !connection->slot_certain || slot->state != POOL_SLOT_IN_USE ||
		page->status != POOL_PAGE_LIVE || page->read_at < assessment->activity->taken_at)
		return -1;
	return instant_elapsed(slot->since, page->read_at);
}

static const struct process *process_of(const struct assessment *assessment, uint32_t index)
{
	return index == NO_PROCESS ? NULL : &assessment->processes[index].process;
}

/* The demo's application is the same program, but its processes have other names. */
static bool is_dbtop(const struct process *process)
{
	return process && process->program == PROGRAM_DBTOP &&
		program_kind(process->name) == PROGRAM_DBTOP;
}

/* Whether the session is a dbtop's own: the one we query over, a connection attempt through the
 * proxy, or one of another dbtop that holds it now. */
static bool is_own(const struct assessment *assessment, const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	const char *probe = assessment->proxy ? assessment->proxy->probe_name : NULL;
	int32_t own_pid = assessment->activity->server.own_pid;
	if (own_pid && backend->pid == own_pid)
		return true;
	if (connection->end == CLIENT_END_HELD &&
		is_dbtop(process_of(assessment, connection->process)))
		return true;
	return probe && backend->application_name && strcmp(backend->application_name, probe) == 0;
}

/* The backend of this server that the process is; NULL if it is none, or one of another server. */
static const struct backend *backend_of(
	const struct assessment *assessment, const struct process *process)
{
	const struct activity *activity = assessment->activity;
	for (size_t i = 0; !process->host && i < activity->n_backends; i++) {
		const struct backend *backend = &activity->backends[i];
		bool same_start = backend->start == INSTANT_UNKNOWN ||
			process->started_at == INSTANT_UNKNOWN ||
			llabs(backend->start - process->started_at) <= START_TOLERANCE;
		if (backend->pid == process->pid && same_start)
			return backend;
	}
	return NULL;
}

/* Whether a PostgreSQL backend that may be at work holds the client end. Of a backend of another
 * server, and of a hidden one, it is not known what it does: it may be at work. */
static bool is_backends_client(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct process *owner = process_of(assessment, connection->owner);
	if (!owner || owner->program != PROGRAM_POSTGRESQL)
		return false;
	const struct backend *outer = backend_of(assessment, owner);
	return !outer || outer->state != BACKEND_STATE_IDLE;
}

/* Whether the session has the client address of the pooler that we came through, and no console
 * tells which sessions are that pooler's. */
static bool shares_our_pooler(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct activity *activity = assessment->activity;
	int32_t pid = activity->server.pooled_pid;
	if (assessment->n_bouncers)
		return false;
	for (size_t i = 0; pid && i < activity->n_backends; i++)
		if (activity->backends[i].pid == pid)
			return connection->process == NO_PROCESS &&
				endpoint_same_address(&activity->backends[i].client,
					&connection->backend->client);
	return false;
}

/* Whether its client is a pooler whose console is not asked, or does not answer. */
static bool is_poolers(const struct assessment *assessment, const struct connection *connection)
{
	const struct process *owner = process_of(assessment, connection->owner);
	if (connection->bouncer_server)
		return false;
	if (owner)
		return owner->program == PROGRAM_POOLER;
	return shares_our_pooler(assessment, connection);
}

struct evidence evidence_collect(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct process *process = process_of(assessment, connection->process);
	const struct bouncer_server *server = connection->bouncer_server;
	const struct pool_slot *slot = connection->slot;
	enum program_kind program = process ? process->program : PROGRAM_UNKNOWN;
	return (struct evidence){
		.own = is_own(assessment, connection),
		.agent = program == PROGRAM_HA_AGENT,
		.backup = connection->backing_up || program == PROGRAM_MAINTENANCE ||
			program_is_maintenance_application(connection->backend->application_name),
		.listening = connection->listening,
		.backend_client = is_backends_client(assessment, connection),
		.pooler = is_poolers(assessment, connection),
		.end = connection->end,
		.declared_gone = connection->declared_gone,
		.pool_reserve = is_reserve(connection),
		.bouncer_reserve = server && !connection->bouncer_client,
		.linked = server && (server->linked || connection->bouncer_client),
		.held = held_for(assessment, connection),
		.held_limit = slot ? connection->pool->page->held_limit : -1,
		.held_reported = slot && slot->reported,
		.process_name = process ? process->name : NULL,
	};
}

static const char *describe_pooler(
	const struct assessment *assessment, const struct connection *connection)
{
	struct arena *arena = assessment->arena;
	const struct process *owner = process_of(assessment, connection->owner);
	if (!owner)
		return "the pooler that dbtop came through may have it: --pgbouncer CONNINFO shows "
		       "PgBouncer's clients";
	const char *name = owner->name ? owner->name : "a pooler";
	if (strncmp(name, "pgbouncer", 9) != 0)
		return arena_printf(arena,
			"%s (%" PRId32 ") holds it; dbtop cannot ask it for its clients", name,
			owner->pid);
	return arena_printf(arena,
		"%s (%" PRId32 ") holds it: --pgbouncer CONNINFO shows which client uses it", name,
		owner->pid);
}

static const char *describe_backup(
	const struct assessment *assessment, const struct connection *connection)
{
	struct arena *arena = assessment->arena;
	const struct process *process = process_of(assessment, connection->process);
	if (connection->backing_up)
		return "a base backup runs in it, as far as can be seen: ending it aborts the "
		       "backup";
	if (process && process->program == PROGRAM_MAINTENANCE)
		return arena_printf(arena, "%s (%" PRId32 ") makes backups or maintains tables",
			process->name ? process->name : "its process", process->pid);
	return "its application_name is a backup or maintenance tool's";
}

static const char *describe_backend(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct process *owner = process_of(assessment, connection->owner);
	const struct backend *outer = backend_of(assessment, owner);
	return arena_printf(assessment->arena, "the client is PostgreSQL's backend %" PRId32 "%s",
		owner->pid, outer ? ", which is at work" : " of another server");
}

static bool is_idle_leak(const struct connection *connection)
{
	return connection->verdict.reason == REASON_IDLE_TOO_LONG;
}

/* The sessions of one process that are presumed leaked because they are idle. */
struct alike {
	uint32_t count;
	const char *texts[2]; /* made once: of a session that was used, and of an unused one */
};

static const char *describe_idle(const struct assessment *assessment,
	const struct connection *connection, struct alike *alike)
{
	struct arena *arena = assessment->arena;
	const struct process *process = process_of(assessment, connection->process);
	const char *unused = connection->backend->query_start == INSTANT_UNKNOWN
		? "no statement since login"
		: NULL;
	const char **text = &alike->texts[unused != NULL];
	if (alike->count < 2)
		return unused;
	if (!*text)
		*text = arena_printf(arena,
			"%s%s%" PRIu32 " alike of %s (%" PRId32 "): perhaps a pool's reserve",
			unused ? unused : "", unused ? "; " : "", alike->count,
			process->name ? process->name : "one process", process->pid);
	return *text;
}

static const char *describe(const struct assessment *assessment,
	const struct connection *connection, struct alike *alike)
{
	switch (connection->verdict.protection) {
	case PROTECTION_POOLER: return describe_pooler(assessment, connection);
	case PROTECTION_BACKUP: return describe_backup(assessment, connection);
	case PROTECTION_BACKEND_CLIENT: return describe_backend(assessment, connection);
	default: break;
	}
	if (connection->unsettled)
		return connection->pool_unseen
			? "by its name it is a pool's, whose stats page cannot be seen from here: "
			  "it may be in the pool's reserve"
			: "advisory locks could not be read: it may hold one";
	if (is_idle_leak(connection))
		return describe_idle(assessment, connection, alike);
	if (connection->verdict.reason == REASON_LOCK_STRANDED)
		return arena_printf(assessment->arena,
			"backend %s waits for its advisory lock; whether the client that took it "
			"lives cannot be known",
			connection->backend->lock_waiters);
	return NULL;
}

void evidence_describe_all(struct assessment *assessment)
{
	struct alike alone = { .count = 1 };
	struct alike *alike =
		arena_array(assessment->arena, assessment->n_processes + 1, sizeof(*alike));
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->process != NO_PROCESS)
			alike[connection->process].count += is_idle_leak(connection);
	}
	for (size_t i = 0; i < assessment->n_connections; i++) {
		struct connection *connection = &assessment->connections[i];
		if (!connection->evidence)
			connection->evidence = describe(assessment, connection,
				connection->process == NO_PROCESS ? &alone
								  : &alike[connection->process]);
	}
}
