/* Lists the namespaces, and reads each from inside or through /proc. */
#include "collect/other_networks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/addresses.h"
#include "collect/namespace_visit.h"
#include "collect/nat.h"
#include "collect/netlink.h"
#include "collect/network_files.h"
#include "collect/sockets.h"
#include "model/peers.h"
#include "proc/namespaces.h"
#include "proc/procfs.h"

/* The time limit for the namespaces of one scan together. What is left then is not known. */
#define DUMP_MOST (4 * USEC_PER_SEC)

struct known_network {
	uint64_t id;
	int32_t pid;     /* of a process in it; 0: none that we may look into */
	uint64_t files;  /* as in proc/namespaces */
	bool quiet;      /* nothing of interest was in it at the last scan */
	bool translates; /* for clients of the server, at the last scan */
	struct endpoint *addresses;
	size_t n_addresses;
};

struct other_networks {
	struct procfs *procfs;
	uint64_t own;
	struct known_network *items;
	size_t count;
	bool searched, all;
	uint64_t ports; /* for which the quiet ones are quiet */
	int64_t searched_at;
};

/* One scan, as the thread sees it. */
struct visit {
	struct other_networks *networks;
	struct peers *peers;
	uint16_t ports[PEERS_MOST_PORTS];
	size_t n_ports;
	bool search;
	bool lost; /* a namespace's process has ended */
	int64_t deadline;
};

struct other_networks *other_networks_new(const char *proc_root)
{
	struct other_networks *networks = mem_alloc(sizeof(*networks));
	networks->procfs = procfs_new(proc_root);
	networks->searched_at = INSTANT_UNKNOWN;
	return networks;
}

static void free_items(struct known_network *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i].addresses);
	free(items);
}

void other_networks_free(struct other_networks *networks)
{
	if (!networks)
		return;
	free_items(networks->items, networks->count);
	procfs_free(networks->procfs);
	free(networks);
}

static const struct namespaces_network *find_id(const struct namespaces *found, uint64_t id)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->networks[i].id == id)
			return &found->networks[i];
	return NULL;
}

/* Whether a process whose namespace cannot be read is in this one. */
static bool has_hidden(const struct namespaces *found, const struct known_network *known)
{
	for (size_t i = 0; i < found->count && !found->networks[i].id; i++)
		if (!found->networks[i].files || found->networks[i].files == known->files)
			return true;
	return false;
}

/* Namespaces that are gone are forgotten. One in which only processes are left that we may not look
 * into is still there, and cannot be read. */
static void search(struct other_networks *networks, int64_t now)
{
	struct arena *arena = arena_new();
	struct namespaces found = { 0 };
	struct known_network *before = networks->items;
	size_t n_before = networks->count;
	networks->searched = true;
	networks->searched_at = now;
	networks->own = procfs_namespace(procfs_root(networks->procfs), "self/ns/net");
	/* hidepid may hide whole processes from others than root */
	networks->all = namespaces_list(networks->procfs, arena, &found) == 0 && geteuid() == 0;
	networks->items = mem_alloc((found.count + n_before + 1) * sizeof(*networks->items));
	networks->count = 0;
	for (size_t i = 0; i < found.count; i++)
		if (found.networks[i].id && networks->own && found.networks[i].id != networks->own)
			networks->items[networks->count++] = (struct known_network){
				.id = found.networks[i].id,
				.pid = found.networks[i].pid,
				.files = found.networks[i].files,
			};
	for (size_t i = 0; i < n_before; i++)
		if (!find_id(&found, before[i].id) && has_hidden(&found, &before[i]))
			networks->items[networks->count++] = (struct known_network){
				.id = before[i].id,
				.files = before[i].files,
			};
	free_items(before, n_before);
	arena_free(arena);
}

/* Reads the namespace that this thread has entered. */
static void read_inside(const struct visit *visit, struct peers_network *network)
{
	struct arena *arena = visit->peers->arena;
	struct netlink *netlink = sockets_netlink();
	int64_t left = visit->deadline - instant_monotonic();
	netlink_limit(netlink, left > 0 ? left : 1);
	network->tcp_known =
		sockets_dump_tcp_ports(netlink, arena, &visit->peers->target, visit->ports,
			visit->n_ports, &network->tcp, &network->n_tcp) == 0 &&
		addresses_local(arena, &network->addresses, &network->n_addresses) == 0;
	network->unix_known =
		sockets_dump_unix_ports(netlink, arena, &visit->peers->target, visit->ports,
			visit->n_ports, &network->unix_sockets, &network->n_unix) == 0;
	netlink_free(netlink);
}

/* Opens the folder of the namespace's process. It stays the same process's; that this is still in
 * the namespace is checked after entering, because the thread then stays there. */
static int open_process(struct visit *visit, const struct known_network *known)
{
	char path[16];
	int root = procfs_root(visit->networks->procfs);
	snprintf(path, sizeof(path), "%" PRId32, known->pid);
	int process = openat(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process >= 0 && procfs_namespace(process, "ns/net") == known->id)
		return process;
	if (process >= 0)
		close(process);
	visit->lost = true;
	return -1;
}

/* What it translates. Without the right to enter it that stays unknown. */
static void read_translations(struct visit *visit, struct known_network *known)
{
	CLEANUP(cleanup_fd) int process = open_process(visit, known);
	size_t n_before = visit->peers->n_nat;
	known->translates = process >= 0 && instant_monotonic() < visit->deadline &&
		namespace_visit_enter(visit->networks->procfs, process, known->id) &&
		nat_dump(visit->peers, visit->ports, visit->n_ports, known->id) == 0 &&
		visit->peers->n_nat > n_before;
}

static void read_network(
	struct visit *visit, const struct known_network *known, struct peers_network *network)
{
	CLEANUP(cleanup_fd) int process = open_process(visit, known);
	if (process < 0)
		return;
	network->dumped = true;
	if (namespace_visit_enter(visit->networks->procfs, process, known->id)) {
		read_inside(visit, network);
		return;
	}
	network_files_read(process, visit->ports, visit->n_ports, visit->peers->arena, network);
	if (procfs_namespace(process, "ns/net") != known->id)
		network->tcp_known = false;
}

static void *visit_all(void *data)
{
	struct visit *visit = data;
	for (size_t i = 0; i < visit->networks->count; i++) {
		struct known_network *known = &visit->networks->items[i];
		if (known->pid && (visit->search || known->translates))
			read_translations(visit, known);
	}
	visit->n_ports = peers_server_ports(visit->peers, visit->ports);
	for (size_t i = 0; i < visit->networks->count; i++) {
		const struct known_network *known = &visit->networks->items[i];
		if (known->pid && (visit->search || !known->quiet))
			read_network(visit, known, &visit->peers->networks[i]);
	}
	return NULL;
}

static bool has_address(const struct known_network *known, const struct endpoint *address)
{
	for (size_t i = 0; i < known->n_addresses; i++)
		if (endpoint_same_address(&known->addresses[i], address))
			return true;
	return false;
}

static bool is_remote_in(const struct known_network *known, const struct tcp_socket *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!endpoint_is_loopback(&rows[i].remote) && has_address(known, &rows[i].remote))
			return true;
	return false;
}

/* Whether one of the connections has its other end in this namespace. */
static bool has_far_end(const struct known_network *known, const struct peers *peers)
{
	if (is_remote_in(known, peers->tcp, peers->n_tcp))
		return true;
	for (size_t i = 0; i < peers->n_networks; i++)
		if (is_remote_in(known, peers->networks[i].tcp, peers->networks[i].n_tcp))
			return true;
	return false;
}

static void keep_addresses(struct known_network *known, const struct peers_network *network)
{
	size_t n = network->n_addresses;
	known->addresses = mem_resize(known->addresses, n + 1, sizeof(*known->addresses));
	if (n)
		memcpy(known->addresses, network->addresses, n * sizeof(*known->addresses));
	known->n_addresses = n;
}

static void recall_addresses(
	struct arena *arena, const struct known_network *known, struct peers_network *network)
{
	network->addresses = arena_array(arena, known->n_addresses, sizeof(*network->addresses));
	if (known->n_addresses)
		memcpy(network->addresses, known->addresses,
			known->n_addresses * sizeof(*known->addresses));
	network->n_addresses = known->n_addresses;
}

static void conclude(struct other_networks *networks, struct peers *peers)
{
	for (size_t i = 0; i < networks->count; i++) {
		if (peers->networks[i].dumped && peers->networks[i].tcp_known)
			keep_addresses(&networks->items[i], &peers->networks[i]);
		else if (!peers->networks[i].dumped)
			recall_addresses(peers->arena, &networks->items[i], &peers->networks[i]);
	}
	for (size_t i = 0; i < networks->count; i++) {
		const struct peers_network *network = &peers->networks[i];
		struct known_network *known = &networks->items[i];
		if (network->dumped)
			known->quiet = network->tcp_known && !network->n_tcp && !network->n_unix &&
				!has_far_end(known, peers);
	}
}

static void list(const struct other_networks *networks, struct peers *peers)
{
	peers->networks = arena_array(peers->arena, networks->count, sizeof(*peers->networks));
	peers->n_networks = networks->count;
	for (size_t i = 0; i < networks->count; i++)
		peers->networks[i] = (struct peers_network){
			.id = networks->items[i].id,
			.hidden = !networks->items[i].pid,
		};
}

void other_networks_dump(struct other_networks *networks, bool wanted, struct peers *peers)
{
	struct visit visit = {
		.networks = networks,
		.peers = peers,
		.deadline = instant_monotonic() + DUMP_MOST,
	};
	size_t n_own_nat = peers->n_nat;
	visit.n_ports = peers_server_ports(peers, visit.ports);
	uint64_t key = visit.n_ports;
	for (size_t i = 0; i < visit.n_ports; i++)
		key = key << 16 | visit.ports[i];
	visit.search = wanted || !networks->searched || networks->ports != key;
	networks->ports = key;
	/* the second time if a process has ended that was to show its namespace */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (visit.search)
			search(networks, peers->dumped_at);
		list(networks, peers);
		peers->n_nat = n_own_nat;
		visit.lost = false;
		if (networks->count)
			namespace_visit(visit_all, &visit);
		if (!visit.lost)
			break;
		visit.search = true;
	}
	conclude(networks, peers);
	peers->network_id = networks->own;
	peers->searched_at = networks->searched_at;
	peers->all_networks = networks->all;
}
