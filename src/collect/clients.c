/* Looks, one after the other, on libuv's worker threads.
 *
 * What a look works with (sockets, holders, the block it fills) is the worker's alone while it
 * runs, and the loop's alone between two looks: uv_queue_work() orders both, no lock is needed. */
#include "collect/clients.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

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
	uint16_t *ports;
	size_t n_ports;

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
	free(clients->ports);
	free(clients);
}

/* The sockets whose holders are worth knowing: both ends, where both are here. */
struct wanted {
	struct holders_wanted *rows;
	size_t count;
};

static void want_tcp(
	struct wanted *wanted, const struct tcp_socket *rows, size_t n_rows, uint16_t server_port)
{
	wanted->rows = mem_resize(wanted->rows, wanted->count + n_rows + 1, sizeof(*wanted->rows));
	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].inode)
			wanted->rows[wanted->count++] = (struct holders_wanted){ rows[i].inode,
				rows[i].remote.port == server_port };
}

static void want_unix(struct wanted *wanted, const struct unix_socket *rows, size_t n_rows)
{
	wanted->rows =
		mem_resize(wanted->rows, wanted->count + 2 * n_rows + 1, sizeof(*wanted->rows));
	for (size_t i = 0; i < n_rows; i++) {
		wanted->rows[wanted->count++] = (struct holders_wanted){ rows[i].inode, false };
		if (rows[i].peer)
			wanted->rows[wanted->count++] =
				(struct holders_wanted){ rows[i].peer, true };
	}
}

static void dump_port(struct clients *clients, struct peers *peers, struct peers_port *port)
{
	const struct peers_target target = { .port = port->port };
	port->tcp_known = sockets_dump_tcp(clients->netlink, peers->arena, &target, &port->tcp,
				  &port->n_tcp) == 0;
	port->unix_known = sockets_dump_unix(clients->netlink, peers->arena, &target,
				   &port->unix_sockets, &port->n_unix) == 0;
}

/* A source that fails leaves its part of the block unknown. */
static void dump(struct clients *clients, struct peers *peers)
{
	peers->dumped_at = instant_now();
	peers->tcp_known = sockets_dump_tcp(clients->netlink, peers->arena, &peers->target,
				   &peers->tcp, &peers->n_tcp) == 0;
	peers->unix_known = sockets_dump_unix(clients->netlink, peers->arena, &peers->target,
				    &peers->unix_sockets, &peers->n_unix) == 0;
	for (size_t i = 0; i < peers->n_ports; i++)
		dump_port(clients, peers, &peers->ports[i]);
	peers->dump_ended_at = instant_now();
}

static void look(uv_work_t *work)
{
	struct clients *clients = work->data;
	struct peers *peers = clients->peers;
	struct wanted wanted = { 0 };
	dump(clients, peers);
	(void)addresses_local(peers->arena, &peers->local_addresses, &peers->n_local_addresses);
	want_tcp(&wanted, peers->tcp, peers->n_tcp, peers->target.port);
	want_unix(&wanted, peers->unix_sockets, peers->n_unix);
	for (size_t i = 0; i < peers->n_ports; i++) {
		const struct peers_port *port = &peers->ports[i];
		want_tcp(&wanted, port->tcp, port->n_tcp, port->port);
		want_unix(&wanted, port->unix_sockets, port->n_unix);
	}
	holders_look(clients->holders, wanted.rows, wanted.count, clients->look_fresh,
		instant_monotonic(), peers);
	free(wanted.rows);
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

static void list_ports(const struct clients *clients, struct peers *peers)
{
	peers->ports = arena_array(peers->arena, clients->n_ports, sizeof(*peers->ports));
	for (size_t i = 0; i < clients->n_ports; i++)
		if (!peers_port(peers, clients->ports[i]))
			peers->ports[peers->n_ports++].port = clients->ports[i];
}

void clients_set_ports(struct clients *clients, const uint16_t *ports, size_t count)
{
	clients->ports = mem_resize(clients->ports, count + 1, sizeof(*ports));
	if (count)
		memcpy(clients->ports, ports, count * sizeof(*ports));
	clients->n_ports = count;
}

static void start(struct clients *clients)
{
	clients->peers = peers_new();
	clients->peers->target = clients->target;
	list_ports(clients, clients->peers);
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
