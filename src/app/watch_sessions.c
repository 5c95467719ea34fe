/* Which of the server's sessions are the application's, and which of them are left.
 *
 * A session is found by its client's end: address and port, or the two ends of a Unix socket; else
 * by what the assessment knows of it (a stats page, PgBouncer, a proxy). From then on it is known
 * by its identity, whatever becomes of the client. */
#include <stdlib.h>
#include <string.h>

#include "action/process.h"
#include "app/target.h"
#include "app/watch_parts.h"
#include "base/arena.h"
#include "base/instant.h"
#include "collect/endings.h"
#include "collect/follow.h"
#include "collect/procfs.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "session/session.h"

/* How often the server is asked while there is something to learn: more and more seldom. */
#define FIRST_PAUSE (5 * USEC_PER_MSEC)
#define LAST_PAUSE  (200 * USEC_PER_MSEC)

/* A session that is not found by then is hidden from us; where nothing is hidden, the machine is
 * slow. */
#define HIDDEN_AFTER (2 * USEC_PER_SEC)
#define BLIND_AFTER  (30 * USEC_PER_SEC)

/* A TCP connection that the server does not show by then needs more than its port. */
#define LOOK_AFTER (60 * USEC_PER_MSEC)

/* The ways to know it for certain have had their time by then. */
#define UNMATCHED_AFTER (800 * USEC_PER_MSEC)

/* An end that is still hidden after that is not merely new. */
#define STAYS_HIDDEN (300 * USEC_PER_MSEC)

/* A connection and its session come so close together. */
#define AT_ONCE (200 * USEC_PER_MSEC)

/* The server's and our clock's word for when a process of this machine began. */
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

/* The backend that has the server's end of a Unix socket. */
static bool holds_socket(const struct peers *peers, uint32_t inode, int32_t pid)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		if (peers->processes[owners[i].process].pid == pid)
			return true;
	return false;
}

static bool is_end_of(const struct assessment *assessment, const struct watch_socket *socket,
	const struct backend *backend)
{
	if (socket->pooled)
		return false;
	if (socket->local.family == AF_UNIX)
		return backend->client.family == AF_UNIX && assessment->peers &&
			holds_socket(assessment->peers, socket->server_inode, backend->pid);
	return endpoint_equal(&socket->local, &backend->client);
}

static struct watch_socket *find_end(
	struct watch *watch, const struct assessment *assessment, const struct backend *backend)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		if (!watch->sockets[i].taken && is_end_of(assessment, &watch->sockets[i], backend))
			return &watch->sockets[i];
	return NULL;
}

static struct shutdown_connection *find_connection(
	struct watch *watch, const struct backend *backend)
{
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		struct shutdown_connection *connection = &watch->record.connections[i];
		if (connection->backend == backend->pid &&
			connection->backend_start == backend->start)
			return connection;
	}
	return NULL;
}

/* A server's instant on our monotonic clock, as far as its answer tells. */
static int64_t local_instant(const struct assessment *assessment, int64_t instant)
{
	if (instant == INSTANT_UNKNOWN || assessment->server_now == INSTANT_UNKNOWN)
		return INSTANT_UNKNOWN;
	int64_t taken_at = instant_monotonic() - (instant_now() - assessment->activity->taken_at);
	return taken_at - (assessment->server_now - instant);
}

/* A process of this machine, and the one that the server means? Then its end is seen at once, also
 * when the server has no time for our questions. */
static void follow_backend(struct watch *watch, const struct backend *backend)
{
	struct procfs_stat stat;
	int fd;
	if (procfs_stat(watch->procfs, backend->pid, &stat) < 0 ||
		distance(procfs_started_at(watch->procfs, stat.start_ticks), backend->start) >
			SAME_START)
		return;
	if (process_hold("/proc", backend->pid, stat.start_ticks, &fd) == 0)
		(void)endings_add(watch->backends, fd, (uint64_t)backend->pid);
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
		/* the look that saw the socket first may have begun before the signal; where none
		 * did, a session that comes late is still that of a socket from before */
		if (began_at > connection->opened_at && !(socket && watch->told_apart))
			connection->opened_at = began_at;
		connection->after_signal = connection->opened_at > record->signalled_at;
	}
	if (socket) {
		connection->inode = socket->inode;
		connection->holder = socket->holder;
		socket->taken = true;
	} else {
		const struct process *process = process_of(assessment, row);
		connection->holder = process ? process->pid : 0;
	}
	follow_backend(watch, backend);
	watch->pause = 0;
	return connection;
}

/* A pooled session is the application's while it has a transaction open in there; before the signal
 * that is nobody's business. */
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

static struct shutdown_connection *find_or_add(
	struct watch *watch, const struct assessment *assessment, const struct connection *row)
{
	struct shutdown_connection *connection = find_connection(watch, row->backend);
	if (connection)
		return connection;
	struct watch_socket *socket = find_end(watch, assessment, row->backend);
	if (socket)
		return add_connection(watch, assessment, row, socket);
	if (!is_ours(watch, assessment, row) || row->backend->start == INSTANT_UNKNOWN)
		return NULL;
	return row->matched_by == MATCHED_PGBOUNCER ? add_lent(watch, assessment, row)
						    : add_connection(watch, assessment, row, NULL);
}

/* Its transaction is over, or it is another client's by now. Where the answer was long on its way
 * our clock's word for an instant is off: the same transaction is told by the server's. */
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
	if (row->slot && row->slot->site && row->slot->state == POOL_SLOT_IN_USE)
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
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		struct shutdown_connection *connection = &watch->record.connections[i];
		bool found = !connection->backend || connection->ended_at != INSTANT_UNKNOWN;
		for (size_t j = 0; j < activity->n_backends && !found; j++)
			found = activity->backends[j].pid == connection->backend &&
				activity->backends[j].start == connection->backend_start;
		if (!found)
			connection->ended_at = at;
	}
}

/* Behind something that hides addresses (a container's proxy, another user's Unix socket) a
 * connection and its session can be told only by when they came: if no more sessions of nobody that
 * we see came then than there are connections without one. Such a session is never ended by us. */
static bool came_with(const struct watch *watch, const struct assessment *assessment,
	const struct connection *row, const struct watch_socket *socket)
{
	const struct backend *backend = row->backend;
	int64_t began_at = local_instant(assessment, backend->start);
	bool hidden = assessment->peers && row->hidden_since != INSTANT_UNKNOWN &&
		assessment->peers->dumped_at - row->hidden_since >= STAYS_HIDDEN;
	return backend->kind == BACKEND_CLIENT && hidden &&
		row->verdict.protection != PROTECTION_OWN && began_at != INSTANT_UNKNOWN &&
		began_at > watch->record.armed_at && began_at > socket->opened_at - AT_ONCE &&
		began_at < socket->opened_at + BLIND_AFTER && backend->client.family != AF_UNSPEC;
}

static bool is_unmatched(const struct watch_socket *socket)
{
	return !socket->taken && !socket->pooled && socket->established && socket->open &&
		socket->seen_at - socket->opened_at > UNMATCHED_AFTER;
}

static void match_by_arrival(struct watch *watch, const struct assessment *assessment)
{
	for (size_t i = 0; i < watch->n_sockets && watch->options.own; i++) {
		struct watch_socket *socket = &watch->sockets[i];
		const struct connection *only = NULL;
		int candidates = 0;
		for (size_t j = 0; j < assessment->n_connections && is_unmatched(socket); j++) {
			const struct connection *row = &assessment->connections[j];
			if (find_connection(watch, row->backend) ||
				!came_with(watch, assessment, row, socket))
				continue;
			candidates++;
			if (!only || row->backend->start < only->backend->start)
				only = row;
		}
		int unmatched = 0;
		for (size_t j = 0; j < watch->n_sockets; j++)
			unmatched += is_unmatched(&watch->sockets[j]);
		if (!only || candidates > unmatched)
			continue;
		struct shutdown_connection *connection =
			add_connection(watch, assessment, only, socket);
		connection->presumed = true;
		update(watch, connection, assessment, only);
	}
}

/* A connection that stood, and whose session the server showed nowhere: no verdict is to be had. */
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
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *row = &assessment->connections[i];
		if (row->verdict.protection == PROTECTION_OWN)
			continue;
		struct shutdown_connection *connection = find_or_add(watch, assessment, row);
		if (connection)
			update(watch, connection, assessment, row);
	}
	match_by_arrival(watch, assessment);
	note_blindness(watch, assessment);
	if (assessment->activity == watch->activity)
		return;
	watch->activity = assessment->activity;
	end_missing(watch, assessment);
	watch_note_strangers(watch);
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

/* Whether processes have to be looked at: what the ports of the two ends do not tell, the processes
 * that hold them do. */
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

/* Whether only the server can tell more: of a new connection, whose session it is; of a closed one,
 * whether its session is gone; of a running one, what it does. */
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
		target_look(watch->target);
}
