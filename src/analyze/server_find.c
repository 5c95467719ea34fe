#include "analyze/server_find.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "analyze/networks.h"
#include "base/instant.h"

/* /proc counts a process's start in ticks of 10 ms from a boot time that is rounded, too. */
#define START_TOLERANCE (2 * USEC_PER_SEC)

static const struct backend *own_backend(const struct activity *activity)
{
	for (size_t i = 0; i < activity->n_backends; i++)
		if (activity->backends[i].pid == activity->server.own_pid)
			return &activity->backends[i];
	return NULL;
}

static bool began_with(const struct backend *backend, int64_t process_started_at)
{
	if (backend->start == INSTANT_UNKNOWN || process_started_at == INSTANT_UNKNOWN)
		return false;
	int64_t apart = llabs(backend->start - process_started_at);
	return apart <= START_TOLERANCE;
}

/* Finds the server's end of our own connection in the dump; false if it is not there, or if the
 * server sees another address at our end. */
static bool find_own_server_end(
	const struct peers *peers, const struct backend *own, uint32_t *ret_inode)
{
	const struct peers_target *target = &peers->target;
	if (own->client.family == AF_UNIX && target->own.family == AF_UNIX) {
		for (size_t i = 0; i < peers->n_unix; i++) {
			*ret_inode = peers->unix_sockets[i].inode;
			if (target->own_inode && peers->unix_sockets[i].peer == target->own_inode)
				return true;
		}
		return false;
	}
	for (size_t i = 0; i < peers->n_tcp; i++) {
		*ret_inode = peers->tcp[i].inode;
		if (endpoint_equal(&peers->tcp[i].local, &target->server) &&
			endpoint_equal(&peers->tcp[i].remote, &target->own))
			return endpoint_equal(&own->client, &target->own);
	}
	return false;
}

/* The process that holds the server's end of our own connection; NULL if it cannot be seen. */
static const struct process *find_own_server(const struct peers *peers, uint32_t inode)
{
	size_t count;
	const struct socket_owner *owner = peers_owners(peers, inode, &count);
	return owner ? &peers->processes[owner->process] : NULL;
}

/* Finds the server in another pid or network namespace than ours, by the process that holds its end
 * of our own connection. */
static void find_elsewhere(const struct peers *peers, const struct backend *own,
	const struct networks *networks, struct server_found *found)
{
	const struct process *process = NULL;
	size_t network = NETWORK_NONE;
	uint32_t index;
	if (own->client.family == AF_UNIX && find_own_server_end(peers, own, &index)) {
		process = find_own_server(peers, index);
		if (process && !networks_is_backend(process, own))
			process = NULL;
		if (process)
			network = networks_find(networks, process->network_namespace);
	} else if (own->client.family != AF_UNIX) {
		network = networks_find_server(networks, own, &index);
		if (network != NETWORK_NONE)
			process = &peers->processes[index];
	}
	if (!process)
		return;
	found->here = true;
	found->pid_namespace = process->pid_namespace;
	if (found->network == NETWORK_NONE)
		found->network = network;
}

/* Finds the server in our own namespaces. Both ends of a TCP connection in one table of sockets are
 * proof enough, whatever processes are hidden; unless another program holds the server's end: then
 * a tunnel ends here, and the address that the server sees is ours by chance. A Unix socket works
 * across namespaces, and the server's end is then in the dump of the client's namespace. */
static void find_here(
	const struct peers *peers, const struct backend *own, struct server_place *place)
{
	uint32_t inode;
	if (!find_own_server_end(peers, own, &inode))
		return;
	const struct process *server = find_own_server(peers, inode);
	bool is_pid_ours = server && server->pid == own->pid;
	bool is_foreign = server && server->program != PROGRAM_POSTGRESQL;
	place->here = is_pid_ours || began_with(own, peers->backend_started_at);
	place->network_here = own->client.family == AF_UNIX
		? place->here && peers->backend_in_network
		: place->here || !is_foreign;
}

struct server_found server_find(const struct peers *peers, const struct activity *activity,
	struct networks *networks, struct server_place *place)
{
	struct server_found found = { .network = NETWORK_NONE };
	const struct peers_target *target = &peers->target;
	const struct backend *own = own_backend(activity);
	if (!own || !target->backend_pid || own->pid != target->backend_pid)
		return found;
	place->unchanged =
		target->own.family != AF_UNSPEC && endpoint_equal(&own->client, &target->own);
	find_here(peers, own, place);
	found.here = place->here;
	if (place->network_here)
		found.network = NETWORK_OWN;
	if (!found.here || found.network == NETWORK_NONE)
		find_elsewhere(peers, own, networks, &found);
	networks_place_server(networks, found.network, place->unchanged);
	return found;
}
