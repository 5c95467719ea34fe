#include "collect/machine_scan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/instant.h"
#include "base/mem.h"
#include "collect/addresses.h"
#include "collect/container_names.h"
#include "collect/doors.h"
#include "collect/nat.h"
#include "collect/netlink.h"
#include "collect/other_networks.h"
#include "collect/pairs.h"
#include "collect/sockets.h"
#include "model/peers.h"
#include "proc/owners.h"

/* The maximum number of forwarders between a client and the server. */
#define MOST_HOPS 4

struct machine_scan {
	struct netlink *netlink;
	struct other_networks *networks;
	struct owners *owners;
	struct container_names *names;
	struct pairs *pairs;
	uint32_t *far; /* behind forwarders, at the last scan */
	size_t n_far;
	bool translated; /* there were translated connections, or we may not see them */
	int64_t translated_at;
};

struct machine_scan *machine_scan_new(const char *proc_root)
{
	struct machine_scan *scan = mem_alloc(sizeof(*scan));
	scan->netlink = sockets_netlink();
	scan->networks = other_networks_new(proc_root);
	scan->owners = owners_new(proc_root);
	scan->names = container_names_new("");
	scan->pairs = pairs_new(proc_root);
	scan->translated_at = INSTANT_UNKNOWN;
	return scan;
}

void machine_scan_free(struct machine_scan *scan)
{
	if (!scan)
		return;
	owners_free(scan->owners);
	container_names_free(scan->names);
	other_networks_free(scan->networks);
	pairs_free(scan->pairs);
	free(scan->far);
	netlink_free(scan->netlink);
	free(scan);
}

struct procfs *machine_scan_procfs(const struct machine_scan *scan)
{
	return owners_procfs(scan->owners);
}

unsigned machine_scan_walks(const struct machine_scan *scan)
{
	return owners_walks(scan->owners);
}

struct server_ports {
	uint16_t ports[PEERS_MOST_PORTS];
	size_t count;
};

static bool is_server_port(const struct server_ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->ports[i] == port)
			return true;
	return false;
}

static struct server_ports server_ports(const struct peers *peers)
{
	struct server_ports ports;
	ports.count = peers_server_ports(peers, ports.ports);
	return ports;
}

/* The sockets whose owners are of interest: both ends, if both are on this machine. */
struct wanted {
	struct owners_wanted *rows;
	size_t count;
};

static void want_tcp(struct wanted *wanted, const struct tcp_socket *rows, size_t n_rows,
	const struct server_ports *ports)
{
	wanted->rows = mem_resize(wanted->rows, wanted->count + n_rows + 1, sizeof(*wanted->rows));
	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].inode)
			wanted->rows[wanted->count++] = (struct owners_wanted){ rows[i].inode,
				is_server_port(ports, rows[i].remote.port) };
}

static void want_unix(struct wanted *wanted, const struct unix_socket *rows, size_t n_rows)
{
	wanted->rows =
		mem_resize(wanted->rows, wanted->count + 2 * n_rows + 1, sizeof(*wanted->rows));
	for (size_t i = 0; i < n_rows; i++) {
		wanted->rows[wanted->count++] = (struct owners_wanted){ rows[i].inode, false };
		if (rows[i].peer)
			wanted->rows[wanted->count++] =
				(struct owners_wanted){ rows[i].peer, true };
	}
}

static void dump_port(struct machine_scan *scan, struct peers *peers, struct peers_port *port)
{
	const struct peers_target target = { .port = port->port };
	port->tcp_known = sockets_dump_tcp(scan->netlink, peers->arena, &target, &port->tcp,
				  &port->n_tcp) == 0;
	port->unix_known = sockets_dump_unix(scan->netlink, peers->arena, &target,
				   &port->unix_sockets, &port->n_unix) == 0;
}

/* The kernel walks its whole table of tracked connections (measured: 9 ms for 262,144 buckets with
 * 20 connections): it is read where it had a connection to the server before, or when one is looked
 * for. */
static void dump_nat(struct machine_scan *scan, struct peers *peers, bool search)
{
	struct server_ports ports = server_ports(peers);
	peers->translated_at = scan->translated_at;
	if (!search && !scan->translated)
		return;
	int error = nat_dump(peers, ports.ports, ports.count, 0);
	peers->nat_refused = error == -EPERM || error == -EACCES;
	peers->translated_at = peers->dumped_at;
	scan->translated = peers->n_nat > 0 || peers->nat_refused;
	scan->translated_at = peers->translated_at;
}

static void dump_own(struct machine_scan *scan, struct peers *peers)
{
	struct server_ports server = server_ports(peers);
	peers->tcp_known = sockets_dump_tcp_ports(scan->netlink, peers->arena, &peers->target,
				   server.ports, server.count, &peers->tcp, &peers->n_tcp) == 0;
	peers->unix_known =
		sockets_dump_unix_ports(scan->netlink, peers->arena, &peers->target, server.ports,
			server.count, &peers->unix_sockets, &peers->n_unix) == 0;
}

/* If a source fails, its part of the block is unknown. */
static void dump(struct machine_scan *scan, struct peers *peers, bool search)
{
	peers->dumped_at = instant_now();
	peers->dump_began = instant_monotonic();
	dump_nat(scan, peers, search);
	size_t n_ports = server_ports(peers).count;
	dump_own(scan, peers);
	other_networks_dump(scan->networks, search, peers);
	/* one that translates has shown another port */
	if (server_ports(peers).count > n_ports)
		dump_own(scan, peers);
	for (size_t i = 0; i < peers->n_ports; i++)
		dump_port(scan, peers, &peers->ports[i]);
	peers->dump_ended = instant_monotonic();
}

static bool is_wanted(const struct wanted *wanted, uint32_t inode)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (wanted->rows[i].inode == inode && wanted->rows[i].client)
			return true;
	return false;
}

/* Adds a far end; false if it is there. */
static bool want_far(struct wanted *wanted, uint32_t inode)
{
	if (is_wanted(wanted, inode))
		return false;
	wanted->rows = mem_resize(wanted->rows, wanted->count + 1, sizeof(*wanted->rows));
	wanted->rows[wanted->count++] = (struct owners_wanted){ inode, true };
	return true;
}

/* What is behind forwarders. `is_new`: the walk did not look for all of that. */
struct far_ends {
	size_t added;
	bool is_new;
};

static void add_far(
	struct machine_scan *scan, struct wanted *wanted, uint32_t inode, struct far_ends *ends)
{
	bool asked = false;
	if (!want_far(wanted, inode))
		return;
	for (size_t i = 0; i < scan->n_far; i++)
		asked |= scan->far[i] == inode;
	ends->added++;
	ends->is_new |= !asked;
}

static struct far_ends want_far_ends(
	struct machine_scan *scan, const struct peers *peers, struct wanted *wanted)
{
	struct far_ends ends = { 0 };
	for (size_t i = 0; i < peers->n_pairs; i++)
		add_far(scan, wanted, peers->pairs[i].far, &ends);
	for (size_t i = 0; i < peers->n_forwarders; i++)
		for (size_t far = 0; far < peers->forwarders[i].n_far; far++)
			add_far(scan, wanted, peers->forwarders[i].far[far], &ends);
	return ends;
}

static void find_owners(
	struct machine_scan *scan, struct peers *peers, const struct wanted *wanted, bool fresh)
{
	peers->n_processes = peers->n_owners = 0;
	owners_find(scan->owners, wanted->rows, wanted->count, fresh, instant_monotonic(), peers);
}

static void keep_far(struct machine_scan *scan, const struct wanted *wanted, size_t first)
{
	scan->n_far = wanted->count - first;
	scan->far = mem_resize(scan->far, scan->n_far + 1, sizeof(*scan->far));
	for (size_t i = 0; i < scan->n_far; i++)
		scan->far[i] = wanted->rows[first + i].inode;
}

/* Finds the owners of the sockets and of those behind forwarders. Behind a forwarder may be another
 * one. What was behind them at the last scan is looked for at once, so that there is one walk over
 * the processes if nothing has changed. */
static void find_all_owners(
	struct machine_scan *scan, struct peers *peers, struct wanted *wanted, bool fresh)
{
	size_t first = wanted->count;
	for (size_t i = 0; i < scan->n_far; i++)
		(void)want_far(wanted, scan->far[i]);
	find_owners(scan, peers, wanted, fresh);
	wanted->count = first;
	if (pairs_has_forwarder(peers)) {
		pairs_dump(scan->pairs);
		for (int hop = 0; hop < MOST_HOPS; hop++) {
			pairs_find(scan->pairs, wanted->rows, wanted->count, peers);
			struct far_ends ends = want_far_ends(scan, peers, wanted);
			if (ends.is_new)
				find_owners(scan, peers, wanted, false);
			if (!ends.added)
				break;
		}
		pairs_drop(scan->pairs);
	}
	keep_far(scan, wanted, first);
}

void machine_scan_read(struct machine_scan *scan, struct peers *peers, bool fresh, bool search)
{
	struct wanted wanted = { 0 };
	struct doors doors;
	dump(scan, peers, search);
	struct server_ports server = server_ports(peers);
	doors_list(&doors, scan->netlink, peers);
	(void)addresses_local(peers->arena, &peers->local_addresses, &peers->n_local_addresses);
	want_tcp(&wanted, peers->tcp, peers->n_tcp, &server);
	want_unix(&wanted, peers->unix_sockets, peers->n_unix);
	for (size_t i = 0; i < peers->n_networks; i++) {
		const struct peers_network *network = &peers->networks[i];
		want_tcp(&wanted, network->tcp, network->n_tcp, &server);
		want_unix(&wanted, network->unix_sockets, network->n_unix);
	}
	for (size_t i = 0; i < peers->n_ports; i++) {
		const struct peers_port *port = &peers->ports[i];
		const struct server_ports own = { .ports = { port->port }, .count = 1 };
		want_tcp(&wanted, port->tcp, port->n_tcp, &own);
		want_unix(&wanted, port->unix_sockets, port->n_unix);
	}
	wanted.rows = mem_resize(
		wanted.rows, wanted.count + doors.n_unix + doors.n_tcp + 1, sizeof(*wanted.rows));
	wanted.count += doors_want(&doors, wanted.rows + wanted.count);
	find_all_owners(scan, peers, &wanted, fresh);
	container_names_set(scan->names, instant_monotonic(), peers);
	doors_find(&doors, peers);
	free(wanted.rows);
}
