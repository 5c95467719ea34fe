/* Assigns sockets to connections, and processes to sockets. */
#include "analyze/join.h"

#include <string.h>
#include <sys/socket.h>

#include "analyze/client_processes.h"
#include "analyze/forwarders.h"
#include "analyze/holders.h"
#include "analyze/networks.h"
#include "analyze/server_find.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

struct join {
	struct arena *arena; /* of the indexes */
	struct assessment *assessment;
	const struct assessment *previous;
	const struct peers *peers;
	struct map *previous_by_identity; /* index into previous' connections */
	struct networks *networks;
	struct map *unix_by_backend;             /* backend pid → index into unix_sockets */
	const struct unix_socket **unix_sockets; /* of all namespaces */
	size_t *unix_networks;                   /* the namespace of each */
	struct client_processes *processes;
	const struct server_place *place;
	struct server_found server;
};

static uint64_t identity(int32_t pid, int64_t start)
{
	return map_mix((uint64_t)pid, (uint64_t)start);
}

/* The pid that the server itself has for the process, if it may be one of the server's. */
static int32_t pid_at_server(const struct join *join, const struct process *process)
{
	if (!join->server.pid_namespace)
		return process->pid;
	return process->pid_namespace == join->server.pid_namespace ? process->inner_pid : 0;
}

static void index_unix_rows(struct join *join, const struct unix_socket *rows, size_t n_rows,
	size_t network, uint32_t *next)
{
	for (size_t i = 0; i < n_rows; i++, ++*next) {
		size_t count;
		const struct socket_owner *owners =
			peers_owners(join->peers, rows[i].inode, &count);
		join->unix_sockets[*next] = &rows[i];
		join->unix_networks[*next] = network;
		for (size_t owner = 0; owner < count; owner++) {
			int32_t pid =
				pid_at_server(join, &join->peers->processes[owners[owner].process]);
			if (pid)
				map_set(join->unix_by_backend, (uint64_t)pid, *next);
		}
	}
}

/* The server's end of a connection over a Unix socket is in the client's namespace. */
static void index_unix(struct join *join)
{
	const struct peers *peers = join->peers;
	struct arena *arena = join->arena;
	size_t n = peers->n_unix;
	uint32_t next = 0;
	for (size_t i = 0; i < peers->n_networks; i++)
		n += peers->networks[i].n_unix;
	join->unix_by_backend = map_new(arena, n);
	join->unix_sockets = arena_array(arena, n, sizeof(struct unix_socket *));
	join->unix_networks = arena_array(arena, n, sizeof(*join->unix_networks));
	index_unix_rows(join, peers->unix_sockets, peers->n_unix, NETWORK_OWN, &next);
	for (size_t i = 0; i < peers->n_networks; i++)
		index_unix_rows(join, peers->networks[i].unix_sockets, peers->networks[i].n_unix,
			i + 1, &next);
}

static void index_previous(struct join *join)
{
	const struct assessment *previous = join->previous;
	for (size_t i = 0; previous && i < previous->n_connections; i++) {
		const struct backend *backend = previous->connections[i].backend;
		map_set(join->previous_by_identity, identity(backend->pid, backend->start),
			(uint32_t)i);
	}
}

/* `network` is the namespace of the socket. */
static void set_owner(struct join *join, struct connection *connection, uint32_t inode,
	size_t network, enum matched_by matched_by)
{
	size_t count;
	const struct socket_owner *owner = peers_owners(join->peers, inode, &count);
	connection->seen_here = true;
	connection->end_inode = inode;
	connection->end_network = networks_id(join->networks, network);
	connection->missed_at = INSTANT_UNKNOWN;
	connection->end = CLIENT_END_NOT_VISIBLE;
	if (!owner)
		return;
	connection->end = CLIENT_END_HELD;
	connection->shared_by = (int)count;
	connection->matched_by = matched_by;
	if (network != NETWORK_OWN && matched_by != MATCHED_NAT)
		connection->matched_by = MATCHED_NAMESPACE;
	connection->process = client_processes_use(join->processes, owner->process);
}

static const struct connection *find_before(
	const struct join *join, const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	uint32_t index =
		map_get(join->previous_by_identity, identity(backend->pid, backend->start));
	return index == MAP_NONE ? NULL : &join->previous->connections[index];
}

/* The condition that both kinds of proof share: the backend existed before the dump and still
 * exists after it. What an earlier dump proved, and this one does not contradict, stays proven
 * until the server's next answer; otherwise the verdict would change back and forth
 * with each dump. */
static bool outlived_the_dump(const struct join *join, const struct connection *connection)
{
	if (connection->scanned &&
		join->assessment->activity->asked_monotonic >= join->peers->dump_began)
		return true;
	const struct connection *before = find_before(join, connection);
	return before && before->end == CLIENT_END_GONE;
}

/* A client end that was on this machine is missing. That counts only if a second dump shows it,
 * too. */
static bool missed_again(const struct join *join, struct connection *connection)
{
	int64_t dumped_at = join->peers->dumped_at;
	if (!connection->seen_here)
		return false;
	if (connection->missed_at == INSTANT_UNKNOWN)
		connection->missed_at = dumped_at;
	if (connection->missed_at < dumped_at)
		return true;
	connection->scanned = false;
	return false;
}

/* The namespace in which the client's end is. It stays where it was seen: another namespace may
 * get the address later. */
static size_t network_of(const struct join *join, const struct connection *connection)
{
	size_t seen = networks_find(join->networks, connection->end_network);
	if (connection->end_network && (seen != NETWORK_NONE || join->peers->network_id))
		return seen;
	return networks_of_address(join->networks, &connection->backend->client);
}

/* This scan says nothing about the client's end. An end that is gone does not come back. */
static void keep_gone(const struct join *join, struct connection *connection)
{
	const struct connection *before = find_before(join, connection);
	if (before && before->end == CLIENT_END_GONE)
		connection->end = CLIENT_END_GONE;
}

/* The namespace in which the client's end was seen has no process any more that we see. That proves
 * something only if the last search read the namespaces of all processes. */
static void join_network_gone(struct join *join, struct connection *connection)
{
	bool closed = join->server.network != NETWORK_NONE &&
		networks_are_sockets_known(join->networks, join->server.network) &&
		networks_is_server_end_closed(join->networks, connection->backend);
	if (join->peers->all_networks && closed && outlived_the_dump(join, connection))
		connection->end = CLIENT_END_GONE;
	keep_gone(join, connection);
}

static bool is_missing(struct join *join, struct connection *connection)
{
	if (join->server.network == NETWORK_NONE)
		return missed_again(join, connection);
	return networks_are_sockets_known(join->networks, join->server.network) &&
		networks_is_server_end_closed(join->networks, connection->backend);
}

/* The client's end as the client has it, if it is translated on its way. Once it was seen it stays,
 * also after the kernel has forgotten the translation. */
static bool find_translated(
	const struct join *join, const struct connection *connection, struct networks_end *ret_end)
{
	if (connection->end_local.family == AF_UNSPEC)
		return networks_translate(join->networks, connection->backend, ret_end);
	*ret_end = (struct networks_end){
		.local = connection->end_local,
		.remote = connection->end_remote,
	};
	return true;
}

/* Whether the sockets of the namespace say something about the client's end. */
static bool is_in_sight(const struct join *join, struct connection *connection, size_t network)
{
	if (network == NETWORK_NONE || network == NETWORK_AMBIGUOUS) {
		connection->end =
			network == NETWORK_NONE ? CLIENT_END_ELSEWHERE : CLIENT_END_NOT_VISIBLE;
		return false;
	}
	if (networks_are_sockets_known(join->networks, network))
		return true;
	keep_gone(join, connection);
	return false;
}

static void join_translated(struct join *join, struct connection *connection,
	const struct networks_end *end, size_t network)
{
	if (!is_in_sight(join, connection, network))
		return;
	const struct tcp_socket *socket = networks_socket(join->networks, network, end);
	if (socket) {
		set_owner(join, connection, socket->inode, network, MATCHED_NAT);
		connection->end_local = end->local;
		connection->end_remote = end->remote;
	} else if (is_missing(join, connection) && outlived_the_dump(join, connection)) {
		connection->end = CLIENT_END_GONE;
	}
}

static void join_tcp(struct join *join, struct connection *connection)
{
	struct networks_end end;
	const struct tcp_socket *socket;
	if (!join->peers->tcp_known ||
		(!join->place->unchanged && join->server.network == NETWORK_NONE))
		return;
	size_t network = network_of(join, connection);
	if (network == NETWORK_NONE && connection->end_network) {
		join_network_gone(join, connection);
		return;
	}
	if (find_translated(join, connection, &end)) {
		join_translated(join, connection, &end,
			connection->end_network ? network : networks_of_end(join->networks, &end));
		return;
	}
	if (!is_in_sight(join, connection, network))
		return;
	switch (networks_client_end(join->networks, network, connection->backend, &socket)) {
	case NETWORK_END_FOUND:
		set_owner(join, connection, socket->inode, network, MATCHED_TCP);
		return;
	case NETWORK_END_UNCERTAIN: return;
	default: break;
	}
	if (is_missing(join, connection) && outlived_the_dump(join, connection))
		connection->end = CLIENT_END_GONE;
}

/* Whether the scan began without the connection that the rows came over, by which the server is
 * found: on a busy machine it may make its dump long after we are connected, or connected again.
 * Through a pooler we have no backend. */
static bool began_unconnected(const struct join *join)
{
	int32_t backend = join->peers->target.backend_pid;
	return !join->assessment->server.pooler &&
		(!backend || backend != join->assessment->activity->server.own_pid);
}

static void join_unix(struct join *join, struct connection *connection)
{
	if (!join->peers->unix_known || began_unconnected(join))
		return;
	if (!join->server.here) {
		connection->end = CLIENT_END_ELSEWHERE;
		return;
	}
	uint32_t index = map_get(join->unix_by_backend, (uint64_t)connection->backend->pid);
	if (index == MAP_NONE) {
		/* The backend is another user's process; its descriptors cannot be read. */
		connection->end = connection->scanned ? CLIENT_END_NOT_VISIBLE : CLIENT_END_UNKNOWN;
		return;
	}
	const struct unix_socket *socket = join->unix_sockets[index];
	if (socket->peer && !socket->shut)
		set_owner(join, connection, socket->peer, join->unix_networks[index], MATCHED_UNIX);
	else if (outlived_the_dump(join, connection))
		connection->end = CLIENT_END_GONE;
}

/* Converts an instant of the previous assessment to the wall clock as it is set now. */
static int64_t by_this_clock(const struct join *join, int64_t at)
{
	return at == INSTANT_UNKNOWN ? at : at + join->assessment->clock_step;
}

/* Whether the dump was made after the session was first seen. A dump in the future was made before
 * the wall clock was set back, and does not count. */
static bool is_dump_newer(const struct join *join, int64_t first_seen)
{
	return join->peers && !began_unconnected(join) && join->peers->dumped_at > first_seen &&
		join->peers->dumped_at <= join->assessment->now;
}

/* How long a session has waited is not known from one row: it counts from the start of the
 * statement, unless it was seen not to wait in between. */
static int64_t client_awaited_since(const struct join *join, const struct connection *connection,
	const struct connection *before)
{
	const struct backend *backend = connection->backend;
	bool active =
		backend->state == BACKEND_STATE_ACTIVE || backend->state == BACKEND_STATE_FASTPATH;
	if (!active || !backend->wait_event_type || strcmp(backend->wait_event_type, "Client") != 0)
		return INSTANT_UNKNOWN;
	if (!before || before->backend->state_change != backend->state_change)
		return backend->state_change;
	if (before->client_awaited_since != INSTANT_UNKNOWN)
		return before->client_awaited_since;
	return join->assessment->activity->server.clock;
}

static void apply(enum effect effect, bool *state)
{
	if (effect != EFFECT_NONE)
		*state = effect == EFFECT_BEGINS;
}

/* Takes over what the previous assessment knew about this session. */
static void remember(struct join *join, struct connection *connection)
{
	const struct connection *before = find_before(join, connection);
	connection->first_seen = join->assessment->activity->asked_at;
	connection->missed_at = connection->hidden_since = INSTANT_UNKNOWN;
	if (before) {
		connection->first_seen = by_this_clock(join, before->first_seen);
		connection->seen_here = before->seen_here;
		connection->end_network = before->end_network;
		connection->end_local = before->end_local;
		connection->end_remote = before->end_remote;
		connection->missed_at = by_this_clock(join, before->missed_at);
		connection->hidden_since = by_this_clock(join, before->hidden_since);
		connection->listening = before->listening;
		connection->backing_up = before->backing_up;
	}
	connection->client_awaited_since = client_awaited_since(join, connection, before);
	apply(connection->backend->effects.listening, &connection->listening);
	apply(connection->backend->effects.backup, &connection->backing_up);
	connection->scanned = is_dump_newer(join, connection->first_seen);
}

static void recall_owner(struct join *join, struct connection *connection)
{
	const struct backend *backend = connection->backend;
	const struct connection *before = find_before(join, connection);
	uint32_t owner = before ? before->owner : NO_PROCESS;
	if (owner == NO_PROCESS)
		return;
	connection->process =
		client_processes_recall(join->processes, &join->previous->processes[owner]);
	connection->matched_by = backend->client.family == AF_UNIX ? MATCHED_UNIX : MATCHED_TCP;
	if (connection->end_local.family != AF_UNSPEC)
		connection->matched_by = MATCHED_NAT;
	else if (connection->end_network != join->peers->network_id)
		connection->matched_by = MATCHED_NAMESPACE;
}

/* Notes since when the end is hidden. One dump may be too early for a client that has just opened
 * its socket. */
static void note_hidden(const struct join *join, struct connection *connection)
{
	bool hidden = connection->end == CLIENT_END_ELSEWHERE ||
		connection->end == CLIENT_END_NOT_VISIBLE;
	if (!hidden)
		connection->hidden_since = INSTANT_UNKNOWN;
	else if (connection->hidden_since == INSTANT_UNKNOWN && connection->scanned)
		connection->hidden_since = join->peers->dumped_at;
}

static void join_one(struct join *join, struct connection *connection)
{
	connection->process = connection->owner = NO_PROCESS;
	remember(join, connection);
	if (!join->peers)
		return;
	switch (connection->backend->client.family) {
	case AF_INET:
	case AF_INET6: join_tcp(join, connection); break;
	case AF_UNIX: join_unix(join, connection); break;
	default: break;
	}
	note_hidden(join, connection);
	/* The process that held the end is kept after the end is gone. */
	if (connection->process == NO_PROCESS && connection->seen_here)
		recall_owner(join, connection);
	connection->owner = connection->process;
	forwarders_look_through(join->assessment, join->previous, find_before(join, connection),
		join->processes, connection);
}

void join_clients(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes)
{
	struct arena *arena = arena_new();
	const struct peers *peers = assessment->peers;
	struct join join = {
		.arena = arena,
		.assessment = assessment,
		.previous = previous,
		.peers = peers,
		.previous_by_identity = map_new(arena, previous ? previous->n_connections : 0),
		.processes = processes,
		.place = &assessment->place,
		.server = { .network = NETWORK_NONE },
	};
	index_previous(&join);
	if (peers) {
		join.networks = networks_new(peers, assessment->activity, arena);
		if (assessment->activity)
			join.server = server_find(
				peers, assessment->activity, join.networks, &assessment->place);
		index_unix(&join);
	}
	for (size_t i = 0; i < assessment->n_connections; i++)
		join_one(&join, &assessment->connections[i]);
	if (peers && !assessment->activity)
		holders_list(assessment, join.networks, processes);
	arena_free(arena);
}
