/* Runs scans, one after the other, on libuv's worker threads.
 *
 * What a scan uses (sockets, owners, the block it fills) is the worker's while it runs.
 *
 * Reading a process may block for as long as that process hangs in the kernel. Such a scan is
 * abandoned together with everything it uses. Later scans do not read the command line of that
 * process. */
#include "collect/clients.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
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
#include "loop/handle.h"
#include "loop/worker.h"
#include "model/peers.h"
#include "proc/owners.h"
#include "proc/procfs.h"

/* When a process no longer hangs, its command line is read again after this many timeouts: a
 * process that hangs again and again must not delay every scan. */
#define RETRY_AFTER 12

/* The maximum number of forwarders between a client and the server. */
#define MOST_HOPS 4

/* The maximum number of scans that may hang: each occupies one of libuv's threads. */
#define MOST_STUCK 4

/* What a scan uses. The next scan reuses it. */
struct scan {
	struct clients *clients;
	bool left_alone; /* abandoned: it hangs */
	struct worker *worker;
	struct netlink *netlink;
	struct other_networks *networks;
	struct owners *owners;
	struct container_names *names;
	struct pairs *pairs;
	uint32_t *far; /* behind forwarders, at the last scan */
	size_t n_far;
	struct peers *peers;
	bool fresh, search;
	bool searched, translated; /* for translated connections; there were some */
};

/* A process in which a scan hangs. */
struct stuck_scan {
	struct scan *scan;
	int32_t pid;
	uint64_t start_ticks;
};

struct clients {
	uv_loop_t *loop;
	char *proc_root;
	struct clients_callbacks callbacks;
	struct peers *latest;
	unsigned scans, scans_before; /* before: the walks of abandoned scans */
	bool asked;
	struct peers_target target; /* of the requested scan */
	bool fresh, search;
	uint16_t *ports;
	size_t n_ports;

	struct scan *scan;
	uv_timer_t *watchdog;
	int64_t timeout;
	int32_t watched;       /* the process that was read when the watchdog last ran */
	struct procfs *procfs; /* for the loop's thread: only reads start times */
	struct stuck_scan stuck[MOST_STUCK];
	size_t n_stuck;
	int64_t retry_at; /* monotonic: when to read again the processes that no longer hang; 0:
			     none */
	char error[128];
};

static void start(struct clients *clients);
static void scan_on_worker(void *data);
static void after_scan(void *data);

static void destroy_scan(void *data)
{
	struct scan *scan = data;
	peers_unref(scan->peers);
	owners_free(scan->owners);
	container_names_free(scan->names);
	other_networks_free(scan->networks);
	pairs_free(scan->pairs);
	free(scan->far);
	netlink_free(scan->netlink);
	free(scan);
}

static struct scan *scan_new(struct clients *clients)
{
	struct scan *scan = mem_alloc(sizeof(*scan));
	scan->clients = clients;
	scan->worker = worker_new(clients->loop,
		&(struct worker_callbacks){ scan, scan_on_worker, after_scan, destroy_scan });
	scan->netlink = sockets_netlink();
	scan->networks = other_networks_new(clients->proc_root);
	scan->owners = owners_new(clients->proc_root);
	scan->names = container_names_new("");
	scan->pairs = pairs_new(clients->proc_root);
	return scan;
}

/* The next scan starts without cached data, and skips the processes that hang now. */
static void renew_scan(struct clients *clients)
{
	clients->scans_before += clients->scans;
	clients->scans = 0;
	clients->scan = scan_new(clients);
	struct procfs *procfs = owners_procfs(clients->scan->owners);
	for (size_t i = 0; i < clients->n_stuck; i++)
		procfs_skip(procfs, clients->stuck[i].pid, clients->stuck[i].start_ticks);
	if (clients->n_stuck == MOST_STUCK)
		procfs_skip_all(procfs);
}

/* Abandons the running scan; the next one skips the process in which it hangs. When the maximum
 * number of scans hang, the next scan reads no command lines at all. */
static void leave_alone(struct clients *clients, int32_t pid)
{
	struct procfs_stat stat;
	struct scan *stuck = clients->scan;
	bool full = clients->n_stuck == MOST_STUCK;
	if (full || procfs_stat(clients->procfs, pid, &stat) < 0)
		return;
	clients->stuck[clients->n_stuck++] = (struct stuck_scan){ stuck, pid, stat.start_ticks };
	stuck->left_alone = true;
	clients->fresh |= stuck->fresh;
	clients->search |= stuck->search;
	renew_scan(clients);
	snprintf(clients->error, sizeof(clients->error),
		"process %" PRId32 " hangs in the kernel: its command line cannot be read", pid);
	start(clients);
}

/* The process no longer hangs, or it has ended: the abandoned scan is done. */
static void came_back(struct clients *clients, struct scan *scan)
{
	for (size_t i = 0; i < clients->n_stuck; i++)
		if (clients->stuck[i].scan == scan) {
			clients->stuck[i] = clients->stuck[--clients->n_stuck];
			break;
		}
	if (!clients->n_stuck)
		clients->error[0] = '\0';
	worker_free(scan->worker);
	clients->retry_at = instant_monotonic() + RETRY_AFTER * clients->timeout;
}

/* If the scan reads the same process at two ticks, it has read that process all the time in
 * between. */
static void on_watchdog(uv_timer_t *timer)
{
	struct clients *clients = timer->data;
	if (!worker_is_busy(clients->scan->worker))
		return;
	int32_t pid = procfs_reads(owners_procfs(clients->scan->owners));
	if (pid && pid == clients->watched) {
		leave_alone(clients, pid);
		return;
	}
	clients->watched = pid;
}

static void watch_over(struct clients *clients)
{
	uint64_t ms = (uint64_t)(clients->timeout / USEC_PER_MSEC);
	clients->watched = 0;
	uv_timer_start(clients->watchdog, on_watchdog, ms / 2, ms / 2);
}

struct clients *clients_new(
	uv_loop_t *loop, const char *proc_root, const struct clients_callbacks *callbacks)
{
	struct clients *clients = mem_alloc(sizeof(*clients));
	clients->loop = loop;
	clients->proc_root = mem_strdup(proc_root);
	clients->callbacks = *callbacks;
	clients->timeout = CLIENTS_TIMEOUT;
	clients->procfs = procfs_new(proc_root);
	clients->scan = scan_new(clients);
	clients->watchdog = handle_new_timer(loop, clients);
	return clients;
}

void clients_set_timeout(struct clients *clients, int64_t timeout)
{
	clients->timeout = timeout;
}

/* The ports of connections to the server: as we reach it, as the server itself has it if that is
 * another one, and those that are translated to one of them. */
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

static void add_port(struct server_ports *ports, uint16_t port)
{
	if (port && ports->count < PEERS_MOST_PORTS && !is_server_port(ports, port))
		ports->ports[ports->count++] = port;
}

static struct server_ports server_ports(const struct peers *peers)
{
	struct server_ports ports = { .ports = { peers->target.port }, .count = 1 };
	add_port(&ports, peers->target.server_port);
	for (size_t i = 0; i < peers->n_nat; i++)
		add_port(&ports, peers->nat[i].server.port);
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

static void dump_port(struct scan *scan, struct peers *peers, struct peers_port *port)
{
	const struct peers_target target = { .port = port->port };
	port->tcp_known = sockets_dump_tcp(scan->netlink, peers->arena, &target, &port->tcp,
				  &port->n_tcp) == 0;
	port->unix_known = sockets_dump_unix(scan->netlink, peers->arena, &target,
				   &port->unix_sockets, &port->n_unix) == 0;
}

/* The table of tracked connections may be long: it is read where it had a connection to the server
 * before, or when one is looked for. */
static void dump_nat(struct scan *scan, struct peers *peers)
{
	struct server_ports ports = server_ports(peers);
	if (!scan->search && !scan->translated && scan->searched)
		return;
	int error = nat_dump(peers->arena, ports.ports, ports.count, 0, &peers->nat, &peers->n_nat);
	peers->nat_refused = error == -EPERM || error == -EACCES;
	scan->translated = peers->n_nat > 0 || peers->nat_refused;
	scan->searched = true;
}

/* If a source fails, its part of the block is unknown. */
static void dump(struct scan *scan, struct peers *peers)
{
	peers->dumped_at = instant_now();
	peers->dump_began = instant_monotonic();
	dump_nat(scan, peers);
	struct server_ports server = server_ports(peers);
	peers->tcp_known = sockets_dump_tcp_ports(scan->netlink, peers->arena, &peers->target,
				   server.ports, server.count, &peers->tcp, &peers->n_tcp) == 0;
	peers->unix_known =
		sockets_dump_unix_ports(scan->netlink, peers->arena, &peers->target, server.ports,
			server.count, &peers->unix_sockets, &peers->n_unix) == 0;
	other_networks_dump(scan->networks, server.ports, server.count, scan->search, peers);
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

static void add_far(struct scan *scan, struct wanted *wanted, uint32_t inode, struct far_ends *ends)
{
	bool asked = false;
	if (!want_far(wanted, inode))
		return;
	for (size_t i = 0; i < scan->n_far; i++)
		asked |= scan->far[i] == inode;
	ends->added++;
	ends->is_new |= !asked;
}

static struct far_ends want_far_ends(struct scan *scan, struct wanted *wanted)
{
	const struct peers *peers = scan->peers;
	struct far_ends ends = { 0 };
	for (size_t i = 0; i < peers->n_pairs; i++)
		add_far(scan, wanted, peers->pairs[i].far, &ends);
	for (size_t i = 0; i < peers->n_forwarders; i++)
		for (size_t far = 0; far < peers->forwarders[i].n_far; far++)
			add_far(scan, wanted, peers->forwarders[i].far[far], &ends);
	return ends;
}

static void find_owners(struct scan *scan, const struct wanted *wanted, bool fresh)
{
	struct peers *peers = scan->peers;
	peers->n_processes = peers->n_owners = 0;
	owners_find(scan->owners, wanted->rows, wanted->count, fresh, instant_monotonic(), peers);
}

static void keep_far(struct scan *scan, const struct wanted *wanted, size_t first)
{
	scan->n_far = wanted->count - first;
	scan->far = mem_resize(scan->far, scan->n_far + 1, sizeof(*scan->far));
	for (size_t i = 0; i < scan->n_far; i++)
		scan->far[i] = wanted->rows[first + i].inode;
}

/* Finds the owners of the sockets and of those behind forwarders. Behind a forwarder may be another
 * one. What was behind them at the last scan is looked for at once, so that there is one walk over
 * the processes if nothing has changed. */
static void find_all_owners(struct scan *scan, struct wanted *wanted)
{
	size_t first = wanted->count;
	for (size_t i = 0; i < scan->n_far; i++)
		(void)want_far(wanted, scan->far[i]);
	find_owners(scan, wanted, scan->fresh);
	wanted->count = first;
	if (pairs_has_forwarder(scan->peers)) {
		pairs_dump(scan->pairs);
		for (int hop = 0; hop < MOST_HOPS; hop++) {
			pairs_find(scan->pairs, wanted->rows, wanted->count, scan->peers);
			struct far_ends ends = want_far_ends(scan, wanted);
			if (ends.is_new)
				find_owners(scan, wanted, false);
			if (!ends.added)
				break;
		}
		pairs_drop(scan->pairs);
	}
	keep_far(scan, wanted, first);
}

static void scan_on_worker(void *data)
{
	struct scan *scan = data;
	struct peers *peers = scan->peers;
	struct wanted wanted = { 0 };
	struct doors doors;
	dump(scan, peers);
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
	find_all_owners(scan, &wanted);
	container_names_set(scan->names, instant_monotonic(), peers);
	doors_find(&doors, peers);
	free(wanted.rows);
}

static void after_scan(void *data)
{
	struct scan *scan = data;
	struct clients *clients = scan->clients;
	if (scan->left_alone) {
		came_back(clients, scan);
		return;
	}
	uv_timer_stop(clients->watchdog);
	peers_unref(clients->latest);
	clients->latest = scan->peers;
	scan->peers = NULL;
	clients->scans = owners_walks(scan->owners);
	if (clients->asked)
		start(clients);
	if (clients->callbacks.published)
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
	if (clients->retry_at && instant_monotonic() >= clients->retry_at) {
		clients->retry_at = 0;
		worker_free(clients->scan->worker);
		renew_scan(clients);
	}
	struct scan *scan = clients->scan;
	scan->peers = peers_new();
	scan->peers->target = clients->target;
	list_ports(clients, scan->peers);
	scan->fresh = clients->fresh;
	scan->search = clients->search || clients->fresh;
	clients->asked = clients->fresh = clients->search = false;
	watch_over(clients);
	worker_start(scan->worker);
}

void clients_scan(struct clients *clients, const struct peers_target *target, bool fresh)
{
	clients->target = *target;
	clients->fresh |= fresh;
	clients->asked = true;
	if (!worker_is_busy(clients->scan->worker))
		start(clients);
}

void clients_search_networks(struct clients *clients)
{
	clients->search = true;
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;
	handle_close(clients->watchdog);
	worker_free(clients->scan->worker);
	for (size_t i = 0; i < clients->n_stuck; i++)
		worker_free(clients->stuck[i].scan->worker);
	peers_unref(clients->latest);
	procfs_free(clients->procfs);
	free(clients->proc_root);
	free(clients->ports);
	free(clients);
}

const struct peers *clients_latest(const struct clients *clients)
{
	return clients->latest;
}

int64_t clients_busy_for(const struct clients *clients)
{
	return worker_busy_for(clients->scan->worker);
}

const char *clients_trouble(const struct clients *clients)
{
	return clients->error[0] ? clients->error : NULL;
}

unsigned clients_walks(const struct clients *clients)
{
	return clients->scans_before + clients->scans;
}
