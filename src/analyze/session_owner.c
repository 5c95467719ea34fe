#include "analyze/session_owner.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"
#include "model/shutdown.h"

/* If a session is not found within this time, the server hides it from our role. If our role sees
 * all sessions, the server or the machine may only be slow: wait longer. */
#define HIDDEN_AFTER (2 * USEC_PER_SEC)
#define BLIND_AFTER  (30 * USEC_PER_SEC)

/* After this time, the reliable ways to find a socket's session have had their chance. */
#define UNMATCHED_AFTER (800 * USEC_PER_MSEC)

/* A client end that is still hidden after this time is not only new. */
#define STAYS_HIDDEN (300 * USEC_PER_MSEC)

/* The largest time between the opening of a connection and the start of its session. */
#define AT_ONCE (200 * USEC_PER_MSEC)

struct matching {
	const struct shutdown_record *record;
	const struct assessment *assessment;
	int64_t to_local;
	struct arena *arena;
	struct map *sessions, *processes; /* of the record */
	/* The sockets without a session, by what identifies their session: the client's address,
	 * the pid of the backend that holds the server's end of a Unix socket, or, behind a
	 * forwarder or a published port, the socket that a scan found there. */
	struct map *by_address, *by_backend, *by_inode;
	bool *taken; /* of each socket */
	struct session_match *matches;
	size_t count;
};

int64_t session_owner_local(int64_t instant, int64_t to_local)
{
	return instant == INSTANT_UNKNOWN || to_local == INSTANT_UNKNOWN ? INSTANT_UNKNOWN
									 : instant + to_local;
}

static void index_unix(struct matching *matching, const struct peers *peers, size_t socket)
{
	size_t count;
	const struct socket_owner *owners =
		peers_owners(peers, matching->record->sockets[socket].server_inode, &count);
	for (size_t i = 0; owners && i < count; i++)
		map_set(matching->by_backend, (uint64_t)peers->processes[owners[i].process].pid,
			(uint32_t)socket);
}

/* Of several sockets with the same address, the newest has it now. */
static void index_sockets(struct matching *matching)
{
	const struct shutdown_record *record = matching->record;
	const struct peers *peers = matching->assessment->peers;
	matching->by_address = map_new(matching->arena, record->n_sockets);
	matching->by_backend = map_new(matching->arena, 0);
	matching->by_inode = map_new(matching->arena, record->n_sockets);
	for (size_t i = 0; i < record->n_sockets; i++) {
		const struct shutdown_socket *socket = &record->sockets[i];
		matching->taken[i] = socket->taken || socket->pooled;
		if (matching->taken[i])
			continue;
		map_set(matching->by_inode, socket->inode, (uint32_t)i);
		if (socket->local.family != AF_UNIX)
			map_set(matching->by_address, endpoint_key(&socket->local), (uint32_t)i);
		else if (peers && socket->server_inode)
			index_unix(matching, peers, i);
	}
}

static size_t find_by_address(const struct matching *matching, const struct backend *backend)
{
	bool local = backend->client.family == AF_UNIX;
	uint32_t i = local ? map_get(matching->by_backend, (uint64_t)backend->pid)
			   : map_get(matching->by_address, endpoint_key(&backend->client));
	if (i == MAP_NONE || matching->taken[i])
		return NO_SOCKET;
	const struct shutdown_socket *socket = &matching->record->sockets[i];
	return local || endpoint_equal(&socket->local, &backend->client) ? i : NO_SOCKET;
}

/* The index of the session's client end if that has no session yet, or NO_SOCKET. */
static size_t find_socket(const struct matching *matching, const struct connection *row)
{
	size_t found = find_by_address(matching, row->backend);
	uint32_t inode = row->far_inode ? row->far_inode : row->end_inode;
	if (found != NO_SOCKET || !inode || row->end != CLIENT_END_HELD)
		return found;
	uint32_t i = map_get(matching->by_inode, inode);
	return i == MAP_NONE || matching->taken[i] ? NO_SOCKET : i;
}

static const struct process *process_of(
	const struct assessment *assessment, const struct connection *row)
{
	const struct client_process *process = assessment_local_process(assessment, row);
	return process ? &process->process : NULL;
}

static bool is_known(const struct matching *matching, const struct backend *backend)
{
	return map_get(matching->sessions,
		       shutdown_identity(backend->pid, (uint64_t)backend->start)) != MAP_NONE;
}

static void add(struct matching *matching, const struct connection *row, size_t socket,
	enum session_owner owner)
{
	const struct process *process = process_of(matching->assessment, row);
	matching->matches[matching->count++] = (struct session_match){
		.row = row,
		.socket = socket,
		.process = process ? process->pid : 0,
		.owner = owner,
	};
	if (socket != NO_SOCKET)
		matching->taken[socket] = true;
	map_set(matching->sessions,
		shutdown_identity(row->backend->pid, (uint64_t)row->backend->start), 0);
}

/* Whether the session is in the record without its socket: the rows named its process before a
 * sample showed the socket. */
static bool lacks_socket(const struct matching *matching, const struct backend *backend)
{
	uint32_t at = map_get(
		matching->sessions, shutdown_identity(backend->pid, (uint64_t)backend->start));
	return at < matching->record->n_connections &&
		matching->record->connections[at].backend == backend->pid &&
		matching->record->connections[at].link == LINK_DIRECT &&
		!matching->record->connections[at].inode;
}

static void match_row(struct matching *matching, const struct connection *row)
{
	const struct backend *backend = row->backend;
	bool known = is_known(matching, backend);
	if (row->verdict.protection == PROTECTION_OWN ||
		(known && !lacks_socket(matching, backend)))
		return;
	size_t socket = find_socket(matching, row);
	if (socket != NO_SOCKET)
		add(matching, row, socket, OWNER_SOCKET);
	if (known || socket != NO_SOCKET)
		return;
	const struct process *process = process_of(matching->assessment, row);
	if (!process || backend->start == INSTANT_UNKNOWN ||
		map_get(matching->processes,
			shutdown_identity(process->pid, process->start_ticks)) == MAP_NONE)
		return;
	if (row->matched_by != MATCHED_PGBOUNCER)
		add(matching, row, NO_SOCKET, OWNER_PROCESS);
	else if (backend->xact_start != INSTANT_UNKNOWN)
		add(matching, row, NO_SOCKET, OWNER_LENT);
}

/* If something hides addresses (a container's proxy, another user's Unix socket), a connection and
 * its session can be matched only by their times. They match if, at that time, no more unowned
 * sessions began than connections without a session were opened. dbtop never ends a session that
 * was matched this way. */
static bool is_candidate(const struct matching *matching, const struct connection *row)
{
	const struct backend *backend = row->backend;
	const struct peers *peers = matching->assessment->peers;
	int64_t began_at = session_owner_local(backend->start, matching->to_local);
	bool hidden = peers && row->hidden_since != INSTANT_UNKNOWN &&
		peers->dumped_at - row->hidden_since >= STAYS_HIDDEN;
	return backend->kind == BACKEND_CLIENT && hidden &&
		row->verdict.protection != PROTECTION_OWN && began_at != INSTANT_UNKNOWN &&
		began_at > matching->record->armed_at && backend->client.family != AF_UNSPEC &&
		!is_known(matching, backend);
}

static int by_start(const void *a, const void *b)
{
	const struct connection *x = *(const struct connection *const *)a;
	const struct connection *y = *(const struct connection *const *)b;
	return (x->backend->start > y->backend->start) - (x->backend->start < y->backend->start);
}

static int by_opening(const void *a, const void *b)
{
	const struct shutdown_socket *x = *(const struct shutdown_socket *const *)a;
	const struct shutdown_socket *y = *(const struct shutdown_socket *const *)b;
	return (x->opened_at > y->opened_at) - (x->opened_at < y->opened_at);
}

static const struct shutdown_socket **list_unmatched(
	const struct matching *matching, size_t *ret_count)
{
	const struct shutdown_record *record = matching->record;
	const struct shutdown_socket **sockets = arena_array(
		matching->arena, record->n_sockets, sizeof(const struct shutdown_socket *));
	*ret_count = 0;
	for (size_t i = 0; i < record->n_sockets; i++) {
		const struct shutdown_socket *socket = &record->sockets[i];
		if (!matching->taken[i] && socket->established && socket->open &&
			socket->seen_at - socket->opened_at > UNMATCHED_AFTER)
			sockets[(*ret_count)++] = socket;
	}
	if (*ret_count)
		qsort(sockets, *ret_count, sizeof(*sockets), by_opening);
	return sockets;
}

static const struct connection **list_candidates(const struct matching *matching, size_t *ret_count)
{
	const struct assessment *assessment = matching->assessment;
	const struct connection **rows = arena_array(
		matching->arena, assessment->n_connections, sizeof(const struct connection *));
	*ret_count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (is_candidate(matching, &assessment->connections[i]))
			rows[(*ret_count)++] = &assessment->connections[i];
	if (*ret_count)
		qsort(rows, *ret_count, sizeof(*rows), by_start);
	return rows;
}

/* Both lists are sorted by time. The candidates of a socket are a window that only moves forward,
 * and the first free candidate is the one behind those already taken. */
static void match_by_arrival(struct matching *matching)
{
	size_t n_sockets, n_rows, first = 0, end = 0;
	const struct shutdown_socket **sockets = list_unmatched(matching, &n_sockets);
	if (!n_sockets)
		return;
	const struct connection **rows = list_candidates(matching, &n_rows);
	if (!n_rows)
		return;
	size_t unmatched = n_sockets;
	for (size_t i = 0; i < n_sockets; i++) {
		int64_t opened_at = sockets[i]->opened_at - matching->to_local;
		while (first < n_rows && rows[first]->backend->start <= opened_at - AT_ONCE)
			first++;
		while (end < n_rows && rows[end]->backend->start < opened_at + BLIND_AFTER)
			end++;
		if (first >= end || end - first > unmatched)
			continue;
		unmatched--;
		add(matching, rows[first++], (size_t)(sockets[i] - matching->record->sockets),
			OWNER_ARRIVAL);
	}
}

const struct session_match *session_owner_match(const struct shutdown_record *record,
	const struct assessment *assessment, int64_t to_local, bool by_arrival, struct arena *arena,
	size_t *ret_count)
{
	struct matching matching = {
		.record = record,
		.assessment = assessment,
		.to_local = to_local,
		.arena = arena,
		.sessions = shutdown_index_sessions(record, arena),
		.processes = shutdown_index_processes(record, arena),
		.taken = arena_array(arena, record->n_sockets, sizeof(bool)),
		.matches =
			arena_array(arena, assessment->n_connections, sizeof(struct session_match)),
	};
	index_sockets(&matching);
	for (size_t i = 0; i < assessment->n_connections; i++)
		match_row(&matching, &assessment->connections[i]);
	if (by_arrival)
		match_by_arrival(&matching);
	*ret_count = matching.count;
	return matching.matches;
}

const char *session_owner_blind(
	const struct shutdown_record *record, const struct assessment *assessment)
{
	bool sees_all = assessment->activity->server.sees_all;
	for (size_t i = 0; i < record->n_sockets; i++) {
		const struct shutdown_socket *socket = &record->sockets[i];
		if (!socket->taken && !socket->pooled && socket->established &&
			socket->seen_at - socket->opened_at >
				(sees_all ? BLIND_AFTER : HIDDEN_AFTER))
			return sees_all ? "its sessions cannot be distinguished from others'"
					: "the server hides its sessions from our role, which "
					  "lacks pg_monitor";
	}
	return NULL;
}
