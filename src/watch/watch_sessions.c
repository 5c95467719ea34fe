/* Finds the server's sessions that are the application's, and which of them are left.
 *
 * A session is found by its client end (address and port, or the two ends of a Unix socket), or
 * else by the assessment (a stats page, PgBouncer, a proxy). After that it is identified by pid and
 * start time, whatever happens to the client. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/follow.h"
#include "loop/pidfd_watch.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "proc/process.h"
#include "proc/procfs.h"
#include "session/session.h"
#include "target/target.h"
#include "watch/watch_parts.h"

/* The pause between two questions to the server grows from the first value to the last. */
#define FIRST_PAUSE (5 * USEC_PER_MSEC)
#define LAST_PAUSE  (200 * USEC_PER_MSEC)

/* If a session is not found within this time, the server hides it from our role. If our role sees
 * all sessions, the server or the machine may only be slow: wait longer. */
#define HIDDEN_AFTER (2 * USEC_PER_SEC)
#define BLIND_AFTER  (30 * USEC_PER_SEC)

/* If the server does not show a TCP connection within this time, its port is not enough to find the
 * session. */
#define LOOK_AFTER (60 * USEC_PER_MSEC)

/* After this time, the reliable ways to find a socket's session have had their chance. */
#define UNMATCHED_AFTER (800 * USEC_PER_MSEC)

/* A client end that is still hidden after this time is not only new. */
#define STAYS_HIDDEN (300 * USEC_PER_MSEC)

/* The largest time between the opening of a connection and the start of its session. */
#define AT_ONCE (200 * USEC_PER_MSEC)

/* The largest difference between the server's and our start time of one process. */
#define SAME_START USEC_PER_SEC

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

void watch_set_ports(struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	uint16_t ports[FOLLOW_PORTS_MOST];
	size_t count = 0;
	struct peers_target where;
	session_locate(target_session(watch->target), &where);
	if (where.port)
		ports[count++] = where.port;
	for (size_t i = 0; i < assessment->n_bouncers && count < FOLLOW_PORTS_MOST; i++)
		if (assessment->bouncers[i]->port)
			ports[count++] = assessment->bouncers[i]->port;
	follow_set_ports(watch->follow, ports, count);
}

bool watch_is_pooler(const struct watch *watch, uint16_t port)
{
	const struct assessment *assessment = target_assessment(watch->target);
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		if (assessment->bouncers[i]->port == port)
			return true;
	return false;
}

static uint64_t backend_key(int32_t pid, int64_t start)
{
	return map_mix((uint64_t)pid, (uint64_t)start);
}

/* Converts a server's instant to our monotonic clock, as precisely as the time of its answer
 * allows. */
static int64_t local_instant(const struct assessment *assessment, int64_t instant)
{
	if (instant == INSTANT_UNKNOWN || assessment->server_now == INSTANT_UNKNOWN)
		return INSTANT_UNKNOWN;
	int64_t taken_at = instant_monotonic() - (instant_now() - assessment->activity->taken_at);
	return taken_at - (assessment->server_now - instant);
}

/* Follows the backend by pidfd if it is a process of this machine with the same start time. Its end
 * is then seen at once, even if the server is too busy to answer. */
static void follow_backend(struct watch *watch, const struct backend *backend)
{
	struct procfs_stat stat;
	int fd;
	if (procfs_stat(watch->procfs, backend->pid, &stat) < 0 ||
		distance(procfs_started_at(watch->procfs, stat.start_ticks), backend->start) >
			SAME_START)
		return;
	if (process_hold("/proc", backend->pid, stat.start_ticks, &fd) == 0)
		(void)!pidfd_watch_add(watch->backends, fd, (uint64_t)backend->pid);
}

static bool has_transaction(const struct backend *backend)
{
	return backend->xact_start != INSTANT_UNKNOWN;
}

static const struct process *process_of(
	const struct assessment *assessment, const struct connection *row)
{
	const struct client_process *process = assessment_process(assessment, row);
	return process ? &process->process : NULL;
}

static bool is_ours(const struct watch *watch, const struct assessment *assessment,
	const struct connection *row)
{
	const struct process *process = process_of(assessment, row);
	return process && watch_owns(watch, process->pid, process->start_ticks);
}

static struct shutdown_connection *add_connection(struct watch *watch,
	const struct assessment *assessment, const struct connection *row,
	struct watch_socket *socket)
{
	const struct backend *backend = row->backend;
	struct shutdown_record *record = &watch->record;
	struct shutdown_connection *connection = shutdown_add_connection(record);
	connection->backend = backend->pid;
	connection->backend_start = backend->start;
	int64_t began_at = local_instant(assessment, backend->start);
	connection->opened_at = socket ? socket->opened_at : began_at;
	if (record->signalled_at != INSTANT_UNKNOWN) {
		/* The scan that first saw the socket may have begun before the signal. If no scan
		 * was running at the signal, a session that starts late still belongs to a socket
		 * opened before it. */
		if (began_at > connection->opened_at && !(socket && watch->told_apart))
			connection->opened_at = began_at;
		connection->after_signal = connection->opened_at > record->signalled_at;
	}
	if (socket) {
		connection->inode = socket->inode;
		connection->owner = socket->owner;
		socket->taken = true;
	} else {
		const struct process *process = process_of(assessment, row);
		connection->owner = process ? process->pid : 0;
	}
	follow_backend(watch, backend);
	watch->pause = 0;
	return connection;
}

/* A session of PgBouncer is the application's while the application has a transaction in it. Before
 * the signal such sessions are ignored. */
static struct shutdown_connection *add_lent(
	struct watch *watch, const struct assessment *assessment, const struct connection *row)
{
	if (watch->stage == WATCH_ARMED || !has_transaction(row->backend))
		return NULL;
	struct shutdown_connection *connection = add_connection(watch, assessment, row, NULL);
	connection->link = LINK_LENT;
	connection->after_signal = false;
	connection->opened_at = local_instant(assessment, row->backend->xact_start);
	connection->lent_since = row->backend->xact_start;
	return connection;
}

static struct shutdown_connection *find_or_add(struct watch *watch,
	const struct assessment *assessment, const struct watch_ends *ends,
	const struct connection *row)
{
	struct shutdown_connection *connection =
		watch_find_session(watch, row->backend->pid, row->backend->start);
	if (connection)
		return connection;
	struct watch_socket *socket = watch_find_end(watch, assessment, ends, row->backend);
	if (socket)
		return add_connection(watch, assessment, row, socket);
	if (!is_ours(watch, assessment, row) || row->backend->start == INSTANT_UNKNOWN)
		return NULL;
	return row->matched_by == MATCHED_PGBOUNCER ? add_lent(watch, assessment, row)
						    : add_connection(watch, assessment, row, NULL);
}

/* True if the transaction has ended, or the session is lent to another client by now. If the answer
 * took long, our conversion of an instant is inaccurate: compare the server's own instants to
 * recognise the same transaction. */
static bool is_given_back(const struct shutdown_connection *connection,
	const struct assessment *assessment, const struct backend *backend)
{
	if (backend->xact_start == connection->lent_since && has_transaction(backend))
		return false;
	return !has_transaction(backend) ||
		local_instant(assessment, backend->xact_start) >
		connection->opened_at + 100 * USEC_PER_MSEC;
}

static void update(struct watch *watch, struct shutdown_connection *connection,
	const struct assessment *assessment, const struct connection *row)
{
	const struct backend *backend = row->backend;
	struct arena *arena = watch->record.arena;
	if (backend->state_text &&
		(!connection->state || strcmp(connection->state, backend->state_text) != 0))
		connection->state = arena_strdup(arena, backend->state_text);
	if (backend->application_name && !connection->application_name)
		connection->application_name = arena_strdup(arena, backend->application_name);
	if (row->slot && row->slot->site && row->slot->state == POOL_SLOT_IN_USE &&
		(!connection->site || strcmp(connection->site, row->slot->site) != 0))
		connection->site = arena_strdup(arena, row->slot->site);
	connection->state_age = instant_elapsed(backend->state_change, assessment->server_now);
	connection->worked_at = local_instant(assessment, backend->query_start);
	if (connection->link == LINK_LENT && is_given_back(connection, assessment, backend))
		connection->ended_at = instant_monotonic();
}

static void end_missing(struct watch *watch, const struct assessment *assessment)
{
	const struct activity *activity = assessment->activity;
	int64_t at = instant_monotonic() - (instant_now() - activity->taken_at);
	struct arena *arena = arena_new();
	struct map *present = map_new(arena, activity->n_backends);
	for (size_t i = 0; i < activity->n_backends; i++)
		map_set(present,
			backend_key(activity->backends[i].pid, activity->backends[i].start), 0);
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		struct shutdown_connection *connection = &watch->record.connections[i];
		if (connection->backend && connection->ended_at == INSTANT_UNKNOWN &&
			map_get(present,
				backend_key(connection->backend, connection->backend_start)) ==
				MAP_NONE)
			connection->ended_at = at;
	}
	arena_free(arena);
}

/* If something hides addresses (a container's proxy, another user's Unix socket), a connection and
 * its session can be matched only by their times. They match if, at that time, no more unowned
 * sessions began than connections without a session were opened. dbtop never ends a session that
 * was matched this way. */
static bool is_candidate(const struct watch *watch, const struct assessment *assessment,
	const struct connection *row)
{
	const struct backend *backend = row->backend;
	int64_t began_at = local_instant(assessment, backend->start);
	bool hidden = assessment->peers && row->hidden_since != INSTANT_UNKNOWN &&
		assessment->peers->dumped_at - row->hidden_since >= STAYS_HIDDEN;
	return backend->kind == BACKEND_CLIENT && hidden &&
		row->verdict.protection != PROTECTION_OWN && began_at != INSTANT_UNKNOWN &&
		began_at > watch->record.armed_at && backend->client.family != AF_UNSPEC &&
		!watch_find_session(watch, backend->pid, backend->start);
}

static bool is_unmatched(const struct watch_socket *socket)
{
	return !socket->taken && !socket->pooled && socket->established && socket->open &&
		socket->seen_at - socket->opened_at > UNMATCHED_AFTER;
}

static int by_start(const void *a, const void *b)
{
	const struct connection *x = *(const struct connection *const *)a;
	const struct connection *y = *(const struct connection *const *)b;
	return (x->backend->start > y->backend->start) - (x->backend->start < y->backend->start);
}

static int by_opening(const void *a, const void *b)
{
	const struct watch_socket *x = *(struct watch_socket *const *)a;
	const struct watch_socket *y = *(struct watch_socket *const *)b;
	return (x->opened_at > y->opened_at) - (x->opened_at < y->opened_at);
}

static struct watch_socket **list_unmatched(const struct watch *watch, size_t *ret_count)
{
	struct watch_socket **sockets =
		mem_resize(NULL, watch->n_sockets + 1, sizeof(struct watch_socket *));
	*ret_count = 0;
	for (size_t i = 0; i < watch->n_sockets; i++)
		if (is_unmatched(&watch->sockets[i]))
			sockets[(*ret_count)++] = &watch->sockets[i];
	qsort(sockets, *ret_count, sizeof(struct watch_socket *), by_opening);
	return sockets;
}

static const struct connection **list_candidates(
	const struct watch *watch, const struct assessment *assessment, size_t *ret_count)
{
	const struct connection **rows =
		mem_resize(NULL, assessment->n_connections + 1, sizeof(const struct connection *));
	*ret_count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (is_candidate(watch, assessment, &assessment->connections[i]))
			rows[(*ret_count)++] = &assessment->connections[i];
	qsort(rows, *ret_count, sizeof(const struct connection *), by_start);
	return rows;
}

/* Both lists are sorted by time. The candidates of a socket are a window that only moves forward,
 * and the first free candidate is the one behind those already taken. */
static void match_by_arrival(struct watch *watch, const struct assessment *assessment)
{
	size_t n_sockets, n_rows, first = 0, end = 0;
	if (!watch->options.own)
		return;
	CLEANUP(cleanup_free)
	struct watch_socket **sockets = list_unmatched(watch, &n_sockets);
	if (!n_sockets)
		return;
	CLEANUP(cleanup_free)
	const struct connection **rows = list_candidates(watch, assessment, &n_rows);
	size_t unmatched = n_sockets;
	for (size_t i = 0; i < n_sockets; i++) {
		int64_t opened_at = sockets[i]->opened_at;
		while (first < n_rows &&
			local_instant(assessment, rows[first]->backend->start) <=
				opened_at - AT_ONCE)
			first++;
		while (end < n_rows &&
			local_instant(assessment, rows[end]->backend->start) <
				opened_at + BLIND_AFTER)
			end++;
		if (first >= end || end - first > unmatched)
			continue;
		const struct connection *row = rows[first++];
		unmatched--;
		struct shutdown_connection *connection =
			add_connection(watch, assessment, row, sockets[i]);
		connection->presumed = true;
		update(watch, connection, assessment, row);
	}
}

/* If an established connection has a session that the server does not show, no verdict is possible.
 */
static void note_blindness(struct watch *watch, const struct assessment *assessment)
{
	const char *why = NULL;
	bool sees_all = assessment->activity->server.sees_all;
	for (size_t i = 0; i < watch->n_sockets; i++) {
		const struct watch_socket *socket = &watch->sockets[i];
		if (!socket->taken && !socket->pooled && socket->established &&
			socket->seen_at - socket->opened_at >
				(sees_all ? BLIND_AFTER : HIDDEN_AFTER))
			why = sees_all
				? "its connections' sessions cannot be told from others'"
				: "the server hides its sessions from our role: GRANT pg_monitor";
	}
	watch->record.blind = why;
}

void watch_read_sessions(struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	if (!assessment->activity || assessment->server.status != SERVER_OK)
		return;
	struct watch_ends ends;
	watch_list_ends(watch, assessment, &ends);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *row = &assessment->connections[i];
		if (row->verdict.protection == PROTECTION_OWN)
			continue;
		struct shutdown_connection *connection = find_or_add(watch, assessment, &ends, row);
		if (connection)
			update(watch, connection, assessment, row);
	}
	watch_ends_deinit(&ends);
	match_by_arrival(watch, assessment);
	note_blindness(watch, assessment);
	if (assessment->activity == watch->activity)
		return;
	watch->activity = assessment->activity;
	end_missing(watch, assessment);
	watch_note_foreign(watch);
	if (watch->record.signalled_at != INSTANT_UNKNOWN)
		watch_note_writes(watch);
}

void watch_backend_ended(struct watch *watch, int32_t pid, int64_t at)
{
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		struct shutdown_connection *connection = &watch->record.connections[i];
		if (connection->backend == pid && connection->ended_at == INSTANT_UNKNOWN)
			connection->ended_at = at;
	}
}

/* True if processes have to be scanned: where the ports of the two ends do not identify a session,
 * the processes that hold the ends do. */
static bool needs_look(const struct watch *watch, int64_t now)
{
	for (size_t i = 0; i < watch->n_sockets; i++) {
		const struct watch_socket *socket = &watch->sockets[i];
		if (!socket->open || !socket->established)
			continue;
		if (socket->pooled ||
			(!socket->taken &&
				(socket->local.family == AF_UNIX ||
					now - socket->opened_at > LOOK_AFTER)))
			return true;
	}
	return false;
}

/* True if only the server can tell more: whose session a new connection is, whether a closed
 * connection's session has ended, what a running session does. */
static bool is_worth_asking(const struct watch *watch)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		if (!watch->sockets[i].taken && watch->sockets[i].established &&
			watch->sockets[i].open)
			return true;
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		const struct shutdown_connection *connection = &watch->record.connections[i];
		if (!shutdown_connection_is_over(connection) &&
			watch->record.signalled_at != INSTANT_UNKNOWN)
			return true;
	}
	return watch->record.signalled_at != INSTANT_UNKNOWN &&
		target_assessment(watch->target)->n_bouncers > 0;
}

void watch_ask(struct watch *watch, int64_t now)
{
	if (now < watch->ask_at || !is_worth_asking(watch))
		return;
	watch->pause = watch->pause ? watch->pause * 3 / 2 : FIRST_PAUSE;
	if (watch->pause > LAST_PAUSE)
		watch->pause = LAST_PAUSE;
	watch->ask_at = now + watch->pause;
	target_refresh(watch->target);
	if (needs_look(watch, now))
		target_scan(watch->target);
}
