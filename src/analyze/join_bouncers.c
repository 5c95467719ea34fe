/* Backend → server connection → client → socket → process. */
#include "analyze/join_bouncers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "analyze/client_processes.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

struct join {
	struct assessment *assessment;
	const struct assessment *previous;
	const struct peers *peers; /* may be NULL */
	struct client_processes *processes;
	struct map *by_pid; /* backend pid → index into the assessment's connections */
	struct map *previous_by_identity; /* client → index into previous' matches */
};

/* The sockets at one PgBouncer's port, with indices to find its clients. */
struct sockets {
	const struct bouncer *bouncer;
	const struct peers_port *port; /* NULL: that port was not scanned */
	struct map *tcp_by_ends;       /* local and remote → index into port->tcp */
	struct map *unix_by_pid;       /* a client's pid → index into peers->processes */
};

static uint64_t ends_key(const struct endpoint *local, const struct endpoint *remote)
{
	return map_mix(endpoint_key(local), endpoint_key(remote));
}

static void index_sockets(const struct join *join, struct sockets *sockets)
{
	const struct peers_port *port = sockets->port;
	struct arena *arena = join->assessment->arena;
	sockets->tcp_by_ends = map_new(arena, port->n_tcp);
	sockets->unix_by_pid = map_new(arena, port->n_unix);
	for (size_t i = 0; i < port->n_tcp; i++)
		map_set(sockets->tcp_by_ends, ends_key(&port->tcp[i].local, &port->tcp[i].remote),
			(uint32_t)i);
	for (size_t i = 0; i < port->n_unix; i++) {
		size_t count;
		uint32_t peer = port->unix_sockets[i].peer;
		const struct socket_owner *owners =
			peer ? peers_owners(join->peers, peer, &count) : NULL;
		for (size_t owner = 0; owners && owner < count; owner++)
			map_set(sockets->unix_by_pid,
				(uint64_t)join->peers->processes[owners[owner].process].pid,
				owners[owner].process);
	}
}

static const struct tcp_socket *find_tcp(
	const struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote)
{
	uint32_t index = map_get(sockets->tcp_by_ends, ends_key(local, remote));
	return index == MAP_NONE ? NULL : &sockets->port->tcp[index];
}

/* Whether the client's TCP connection is in our network namespace. Our own connection over a Unix
 * socket does not show that: PgBouncer's end of the client's connection must be here as well, and
 * owned by PgBouncer's user. */
static bool is_our_network(const struct sockets *sockets, const struct bouncer_client *client)
{
	if (sockets->bouncer->own.family != AF_UNIX)
		return true;
	const struct tcp_socket *far = find_tcp(sockets, &client->local, &client->remote);
	return far && far->uid == sockets->bouncer->uid;
}

static bool is_here(const struct join *join, const struct bouncer *bouncer)
{
	return bouncer->own.family == AF_UNIX || peers_is_local(join->peers, &bouncer->address);
}

/* Whether PgBouncer had this client before the dump and after it. */
static bool spans_the_dump(
	const struct join *join, const struct bouncer *bouncer, const struct bouncer_client *client)
{
	return client->first_seen <= join->peers->dump_began &&
		bouncer->asked_at >= join->peers->dump_ended;
}

static uint32_t owner_of(const struct join *join, uint32_t inode)
{
	size_t count;
	const struct socket_owner *owner = inode ? peers_owners(join->peers, inode, &count) : NULL;
	return owner ? client_processes_use(join->processes, owner->process) : NO_PROCESS;
}

static void match_tcp(const struct join *join, const struct sockets *sockets,
	const struct bouncer_client *client, struct bouncer_match *match)
{
	/* On another machine, 127.0.0.1 is that machine itself. */
	if (!peers_is_local(join->peers, &client->remote) ||
		(endpoint_is_loopback(&client->remote) && !is_here(join, sockets->bouncer))) {
		match->elsewhere = true;
		return;
	}
	const struct tcp_socket *socket = find_tcp(sockets, &client->remote, &client->local);
	if (!socket || !socket->inode || !is_our_network(sockets, client))
		return;
	match->process = owner_of(join, socket->inode);
	match->hidden = match->process == NO_PROCESS;
}

/* The pid that PgBouncer reports counts only if that process holds such a connection here. */
static void match_unix(const struct join *join, const struct sockets *sockets,
	const struct bouncer_client *client, struct bouncer_match *match)
{
	uint32_t index = map_get(sockets->unix_by_pid, (uint64_t)client->remote_pid);
	if (client->remote_pid && index != MAP_NONE)
		match->process = client_processes_use(join->processes, index);
	else if (!is_here(join, sockets->bouncer))
		match->elsewhere = true;
	else
		match->hidden = true;
}

/* Takes over what the previous assessment knew about the same client. */
static void recall(const struct join *join, struct bouncer_match *match)
{
	uint32_t index = map_get(join->previous_by_identity, match->identity);
	if (index == MAP_NONE)
		return;
	const struct bouncer_match *before = &join->previous->matches[index];
	match->elsewhere = before->elsewhere;
	match->hidden = before->hidden;
	if (before->process != NO_PROCESS)
		match->process = client_processes_recall(
			join->processes, &join->previous->processes[before->process]);
}

static struct bouncer_match match_client(
	const struct join *join, const struct sockets *sockets, const struct bouncer_client *client)
{
	const struct bouncer *bouncer = sockets->bouncer;
	struct bouncer_match match = { .identity = client->identity, .process = NO_PROCESS };
	if (!sockets->port || !bouncer->seen_as_we_are || !spans_the_dump(join, bouncer, client))
		recall(join, &match);
	else if (client->remote.family == AF_UNIX)
		match_unix(join, sockets, client, &match);
	else if (client->remote.family != AF_UNSPEC)
		match_tcp(join, sockets, client, &match);
	return match;
}

/* The server's clock at an instant of our monotonic clock, at most: it read its clock before
 * its answer arrived. */
static int64_t server_clock(const struct activity *activity, int64_t at)
{
	return activity->server.clock - (activity->taken_monotonic - at);
}

static bool is_same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool is_same_session(const struct join *join, const struct bouncer *bouncer,
	const struct bouncer_server *server, const struct backend *backend)
{
	const struct activity *activity = join->assessment->activity;
	if (backend->start == INSTANT_UNKNOWN || activity->server.clock == INSTANT_UNKNOWN ||
		backend->start >= server_clock(activity, bouncer->servers_at))
		return false;
	if (!is_same(server->user, backend->user) ||
		(server->real_database && !is_same(server->real_database, backend->database)))
		return false;
	if (backend->client.family == AF_UNIX)
		return server->local.family == AF_UNIX &&
			server->port == join->assessment->server.port;
	return backend->client.family != AF_UNSPEC && server->local.family != AF_UNIX &&
		server->local.port == backend->client.port;
}

/* Whether the link that PgBouncer reported existed when the row was taken. */
static bool is_link_certain(const struct join *join, const struct bouncer *bouncer,
	const struct bouncer_server *server, const struct backend *backend)
{
	const struct activity *activity = join->assessment->activity;
	int64_t since = backend->xact_start;
	bool session = server->pool != BOUNCER_NONE &&
		bouncer->pools[server->pool].mode == POOL_MODE_SESSION;
	if (session && since == INSTANT_UNKNOWN)
		since = backend->state_change;
	return since != INSTANT_UNKNOWN && bouncer->taken_monotonic <= activity->asked_monotonic &&
		since < server_clock(activity, bouncer->servers_at);
}

static void set_client(struct connection *connection, const struct bouncer_client *client,
	const struct bouncer_match *match)
{
	connection->bouncer_client = client;
	connection->shared_by = 0;
	connection->process = match->process;
	connection->matched_by = match->process == NO_PROCESS ? MATCHED_NONE : MATCHED_PGBOUNCER;
	if (match->process != NO_PROCESS)
		connection->end = CLIENT_END_HELD;
	else if (match->elsewhere)
		connection->end = CLIENT_END_ELSEWHERE;
	else if (match->hidden)
		connection->end = CLIENT_END_NOT_VISIBLE;
	else
		connection->end = CLIENT_END_UNKNOWN;
}

static void join_server(const struct join *join, const struct bouncer *bouncer,
	const struct bouncer_server *server, const struct bouncer_match *matches)
{
	uint32_t index = map_get(join->by_pid, (uint64_t)server->backend_pid);
	if (!server->backend_pid || index == MAP_NONE)
		return;
	struct connection *connection = &join->assessment->connections[index];
	/* If PgBouncer itself is gone, its last answer is out of date. */
	if (connection->end == CLIENT_END_GONE ||
		!is_same_session(join, bouncer, server, connection->backend))
		return;
	connection->bouncer_server = server;
	if (server->client != BOUNCER_NONE &&
		is_link_certain(join, bouncer, server, connection->backend))
		set_client(connection, &bouncer->clients[server->client], &matches[server->client]);
}

static void add_waiters(
	struct join *join, const struct bouncer *bouncer, const struct bouncer_match *matches)
{
	struct assessment *assessment = join->assessment;
	for (size_t i = 0; i < bouncer->n_clients; i++) {
		if (bouncer->clients[i].wait < 0)
			continue;
		assessment->waiters[assessment->n_waiters++] = (struct waiter){
			.client = &bouncer->clients[i],
			.console = bouncer,
			.process = matches[i].process,
		};
	}
}

static void join_bouncer(struct join *join, const struct bouncer *bouncer)
{
	struct assessment *assessment = join->assessment;
	struct bouncer_match *matches = &assessment->matches[assessment->n_matches];
	struct sockets sockets = {
		.bouncer = bouncer,
		.port = join->peers ? peers_port(join->peers, bouncer->port) : NULL,
	};
	if (sockets.port)
		index_sockets(join, &sockets);
	for (size_t i = 0; i < bouncer->n_clients; i++)
		matches[i] = match_client(join, &sockets, &bouncer->clients[i]);
	assessment->n_matches += bouncer->n_clients;
	for (size_t i = 0; assessment->activity && i < bouncer->n_servers; i++)
		join_server(join, bouncer, &bouncer->servers[i], matches);
	add_waiters(join, bouncer, matches);
}

static int compare_waiters(const void *a, const void *b)
{
	const struct waiter *x = a, *y = b;
	if (x->client->wait != y->client->wait)
		return x->client->wait > y->client->wait ? -1 : 1;
	return (x->client > y->client) - (x->client < y->client);
}

void join_bouncers(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes)
{
	struct arena *arena = assessment->arena;
	size_t n_clients = 0;
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		n_clients += assessment->bouncers[i]->n_clients;
	if (!assessment->n_bouncers)
		return;
	struct join join = {
		.assessment = assessment,
		.previous = previous,
		.peers = assessment->peers,
		.processes = processes,
		.by_pid = map_new(arena, assessment->n_connections),
		.previous_by_identity = map_new(arena, previous ? previous->n_matches : 0),
	};
	for (size_t i = 0; i < assessment->n_connections; i++)
		map_set(join.by_pid, (uint64_t)assessment->connections[i].backend->pid,
			(uint32_t)i);
	for (size_t i = 0; previous && i < previous->n_matches; i++)
		map_set(join.previous_by_identity, previous->matches[i].identity, (uint32_t)i);
	assessment->matches = arena_array(arena, n_clients, sizeof(*assessment->matches));
	assessment->waiters = arena_array(arena, n_clients, sizeof(*assessment->waiters));
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		join_bouncer(&join, assessment->bouncers[i]);
	qsort(assessment->waiters, assessment->n_waiters, sizeof(*assessment->waiters),
		compare_waiters);
}
