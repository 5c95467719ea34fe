#include "analyze/holders.h"

#include <sys/socket.h>

#include "analyze/client_processes.h"
#include "analyze/networks.h"

/* Whether a Unix socket of this port may belong to the server that we watch. A server on another
 * machine has none here, and another local server may use the same port in another folder. */
static bool may_be_at_server(const struct peers *peers, const struct unix_socket *socket)
{
	const struct peers_target *target = &peers->target;
	if (target->server.family != AF_UNIX)
		return peers_is_local(peers, &target->server);
	return socket->at_target || !target->socket_inode;
}

static void count(struct assessment *assessment, struct client_processes *processes, uint32_t inode)
{
	size_t n;
	const struct socket_owner *owner = peers_owners(assessment->peers, inode, &n);
	if (!owner)
		return;
	/* first of all: it may move the list */
	uint32_t process = client_processes_use(processes, owner->process);
	assessment->processes[process].connections++;
}

void holders_list(struct assessment *assessment, const struct networks *networks,
	struct client_processes *processes)
{
	const struct peers *peers = assessment->peers;
	for (size_t i = 0; i < peers->n_tcp; i++)
		if (peers->tcp[i].remote.port == peers->target.port &&
			networks_is_to_server(networks, NETWORK_OWN, &peers->tcp[i]))
			count(assessment, processes, peers->tcp[i].inode);
	for (size_t i = 0; i < peers->n_unix; i++)
		if (peers->unix_sockets[i].peer && may_be_at_server(peers, &peers->unix_sockets[i]))
			count(assessment, processes, peers->unix_sockets[i].peer);
}
