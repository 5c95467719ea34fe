/* Looks, one after the other, on libuv's worker threads.
 *
 * What a look works with (sockets, holders, the block it fills) is the worker's alone while it
 * runs, and the loop's alone between two looks: uv_queue_work() orders both, no lock is needed. */
#include "collect/clients.h"

#include <netinet/tcp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/addresses.h"
#include "collect/holders.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "model/peers.h"

struct clients {
	uv_loop_t *loop;
	struct clients_callbacks callbacks;
	struct peers *latest;
	unsigned scans;
	bool running, asked, freed;
	struct peers_target target; /* of the look asked for */
	bool fresh;

	/* the look under way */
	uv_work_t work;
	struct netlink *netlink;
	struct holders *holders;
	struct peers *peers;
	bool look_fresh;
};

struct clients *clients_new(
	uv_loop_t *loop, const char *proc_root, const struct clients_callbacks *callbacks)
{
	struct clients *clients = mem_alloc(sizeof(*clients));
	clients->loop = loop;
	clients->callbacks = *callbacks;
	clients->work.data = clients;
	clients->netlink = sockets_netlink();
	clients->holders = holders_new(proc_root);
	return clients;
}

static void destroy(struct clients *clients)
{
	peers_unref(clients->latest);
	peers_unref(clients->peers);
	holders_free(clients->holders);
	netlink_free(clients->netlink);
	free(clients);
}

/* A list of the sockets whose holders are worth knowing: both ends, where both are here. */
static struct holders_wanted *wanted_sockets(const struct peers *peers, size_t *ret_count)
{
	struct holders_wanted *wanted =
		mem_resize(NULL, peers->n_tcp + 2 * peers->n_unix + 1, sizeof(*wanted));
	size_t count = 0;
	for (size_t i = 0; i < peers->n_tcp; i++) {
		const struct tcp_socket *row = &peers->tcp[i];
		if (row->inode)
			wanted[count++] = (struct holders_wanted){ row->inode,
				row->remote.port == peers->target.port };
	}
	for (size_t i = 0; i < peers->n_unix; i++) {
		const struct unix_socket *row = &peers->unix_sockets[i];
		wanted[count++] = (struct holders_wanted){ row->inode, false };
		if (row->peer)
			wanted[count++] = (struct holders_wanted){ row->peer, true };
	}
	*ret_count = count;
	return wanted;
}

/* A source that fails leaves its part of the block unknown. */
static void look(uv_work_t *work)
{
	struct clients *clients = work->data;
	struct peers *peers = clients->peers;
	peers->dumped_at = instant_now();
	peers->tcp_known = sockets_dump_tcp(clients->netlink, peers->arena, &peers->target,
				   &peers->tcp, &peers->n_tcp) == 0;
	peers->unix_known = sockets_dump_unix(clients->netlink, peers->arena, peers->target.port,
				    &peers->unix_sockets, &peers->n_unix) == 0;
	(void)addresses_local(peers->arena, &peers->local_addresses, &peers->n_local_addresses);
	size_t n_wanted;
	struct holders_wanted *wanted = wanted_sockets(peers, &n_wanted);
	holders_look(clients->holders, wanted, n_wanted, clients->look_fresh, instant_monotonic(),
		peers);
	free(wanted);
}

static void start(struct clients *clients);

static void looked(uv_work_t *work, int status)
{
	struct clients *clients = work->data;
	clients->running = false;
	if (clients->freed) {
		destroy(clients);
		return;
	}
	if (status == 0) {
		peers_unref(clients->latest);
		clients->latest = clients->peers;
		clients->peers = NULL;
		clients->scans = holders_walks(clients->holders);
	}
	if (clients->asked)
		start(clients);
	if (status == 0 && clients->callbacks.published)
		clients->callbacks.published(clients->callbacks.data);
}

static void start(struct clients *clients)
{
	clients->peers = peers_new();
	clients->peers->target = clients->target;
	clients->look_fresh = clients->fresh;
	clients->asked = clients->fresh = false;
	clients->running = true;
	/* it fails only without a function to call */
	(void)uv_queue_work(clients->loop, &clients->work, look, looked);
}

void clients_look(struct clients *clients, const struct peers_target *target, bool fresh)
{
	clients->target = *target;
	clients->fresh |= fresh;
	clients->asked = true;
	if (!clients->running)
		start(clients);
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;
	clients->freed = true;
	if (clients->running)
		(void)uv_cancel((uv_req_t *)&clients->work);
	else
		destroy(clients);
}

const struct peers *clients_latest(const struct clients *clients)
{
	return clients->latest;
}

unsigned clients_scans(const struct clients *clients)
{
	return clients->scans;
}
