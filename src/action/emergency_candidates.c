/* Counts sockets and connections for each process. */
#include "action/emergency_candidates.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/assessment.h"

bool emergency_candidates_connected(const struct assessment *assessment)
{
	return assessment->server.status == SERVER_OK && assessment->activity;
}

/* The client's end of a connection to an address that is known to be the server's. */
static bool is_client_end(const struct peers *peers, const struct tcp_socket *socket)
{
	if (!socket->inode || socket->remote.port != peers->target.port)
		return false;
	return endpoint_same_address(&socket->remote, &peers->target.server) ||
		(peers->doors_proven && peers_is_door(peers, &socket->remote));
}

static void count_owners(const struct peers *peers, uint32_t inode, uint32_t *counts)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		counts[owners[i].process]++;
}

static bool is_here(const struct peers *peers, const struct endpoint *endpoint)
{
	if (endpoint->family == AF_UNIX || endpoint_is_loopback(endpoint))
		return true;
	for (size_t i = 0; i < peers->n_local_addresses; i++)
		if (endpoint_same_address(&peers->local_addresses[i], endpoint))
			return true;
	return false;
}

/* Connections to the server's port by another way than ours: most likely to the same server, but
 * only the server knows. */
static void count_elsewhere(const struct peers *peers, uint32_t *counts)
{
	if (!is_here(peers, &peers->target.server))
		return;
	for (size_t i = 0; i < peers->n_tcp; i++)
		if (peers->tcp[i].remote.port == peers->target.port &&
			!is_client_end(peers, &peers->tcp[i]) &&
			is_here(peers, &peers->tcp[i].remote))
			count_owners(peers, peers->tcp[i].inode, counts);
	for (size_t i = 0; i < peers->n_unix; i++)
		if (!peers->unix_sockets[i].at_target)
			count_owners(peers, peers->unix_sockets[i].peer, counts);
}

static uint64_t identity(const struct process *process)
{
	return map_mix((uint64_t)process->pid, process->start_ticks);
}

/* Identity → index among the peers' processes. */
static struct map *index_peers(const struct peers *peers, struct arena *arena)
{
	struct map *map = map_new(arena, peers->n_processes);
	for (size_t i = peers->n_processes; i-- > 0;)
		map_set(map, identity(&peers->processes[i]), (uint32_t)i);
	return map;
}

/* Through what else it came to its process: another of the server's addresses, PgBouncer, its
 * page; a name is no proof. */
bool emergency_candidates_proven(const struct connection *connection)
{
	return connection->matched_by != MATCHED_NONE && connection->matched_by != MATCHED_NAME;
}

/* How many connections to this server each process has: one entry for each of the peers'. */
static void count_connections(const struct assessment *assessment, uint32_t *counts)
{
	const struct peers *peers = assessment->peers;
	for (size_t i = 0; i < peers->n_tcp; i++)
		if (is_client_end(peers, &peers->tcp[i]))
			count_owners(peers, peers->tcp[i].inode, counts);
	for (size_t i = 0; i < peers->n_unix; i++)
		if (peers->unix_sockets[i].at_target)
			count_owners(peers, peers->unix_sockets[i].peer, counts);
	if (!emergency_candidates_connected(assessment))
		return;
	struct arena *arena = arena_new();
	const struct map *by_identity = index_peers(peers, arena);
	uint32_t *joined = mem_alloc(peers->n_processes * sizeof(*joined));
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		const struct client_process *client =
			assessment_local_process(assessment, connection);
		uint32_t peer = client && client->alive && emergency_candidates_proven(connection)
			? map_get(by_identity, identity(&client->process))
			: MAP_NONE;
		if (peer != MAP_NONE)
			joined[peer]++;
	}
	for (size_t i = 0; i < peers->n_processes; i++)
		counts[i] = counts[i] > joined[i] ? counts[i] : joined[i];
	free(joined);
	arena_free(arena);
}

void emergency_candidates_count(
	const struct assessment *assessment, uint32_t *ret_counts, uint32_t *ret_elsewhere)
{
	count_connections(assessment, ret_counts);
	count_elsewhere(assessment->peers, ret_elsewhere);
}

size_t emergency_candidates_list(const struct assessment *assessment, uint32_t *ret_processes)
{
	size_t count = 0;
	const struct peers *peers = assessment->peers;
	if (!peers)
		return 0;
	uint32_t *counts = mem_alloc(peers->n_processes * sizeof(*counts));
	count_connections(assessment, counts);
	if (!emergency_candidates_connected(assessment))
		count_elsewhere(peers, counts);
	for (size_t i = 0; i < peers->n_processes; i++)
		if (counts[i] && peers->processes[i].ended_at == INSTANT_UNKNOWN)
			ret_processes[count++] = (uint32_t)i;
	free(counts);
	return count;
}

static void mark_owners(const struct peers *peers, uint32_t inode, bool *marks)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		marks[owners[i].process] = true;
}

static void mark_server_ends(const struct peers *peers, const struct tcp_socket *tcp, size_t n_tcp,
	const struct unix_socket *unix_sockets, size_t n_unix, bool *marks)
{
	const struct peers_target *target = &peers->target;
	for (size_t i = 0; i < n_tcp; i++)
		if (tcp[i].local.port == target->port ||
			(target->server_port && tcp[i].local.port == target->server_port))
			mark_owners(peers, tcp[i].inode, marks);
	for (size_t i = 0; i < n_unix; i++)
		mark_owners(peers, unix_sockets[i].inode, marks);
}

void emergency_candidates_mark_servers(const struct peers *peers, bool *ret_servers)
{
	mark_server_ends(
		peers, peers->tcp, peers->n_tcp, peers->unix_sockets, peers->n_unix, ret_servers);
	for (size_t i = 0; i < peers->n_networks; i++) {
		const struct peers_network *network = &peers->networks[i];
		mark_server_ends(peers, network->tcp, network->n_tcp, network->unix_sockets,
			network->n_unix, ret_servers);
	}
}
