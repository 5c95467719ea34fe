/* Reads the kernel's counters of each TCP connection with sock_diag(7). An application that answers
 * its clients from the database may have as many connections as a forwarder, but never the same
 * number of bytes in both directions. */
#include "collect/relays.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/namespace_visit.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "model/endpoint.h"
#include "proc/namespaces.h"
#include "proc/procfs.h"

/* TCP_ESTABLISHED, TCP_CLOSE_WAIT and TCP_LISTEN of netinet/tcp.h, which has another struct
 * tcp_info. */
#define LISTEN      10
#define SEEN_STATES (1u << 1 | 1u << 8 | 1u << LISTEN)

/* A login to PostgreSQL takes more bytes than this, both directions together. */
#define FEWEST_BYTES 100

#define NO_END UINT32_MAX

struct relays {
	struct arena *arena;
	struct map *by_inode, *by_ends, *listening; /* by_ends: both addresses → the first end */
	uint32_t *next;                             /* with the same addresses; NO_END */
	struct relay_end *flows;
	size_t count, room;
	uint64_t network; /* that is listed now */
};

static void read_counters(const struct netlink_attribute *attribute, struct relay_end *flow)
{
	struct tcp_info info;
	size_t needed =
		offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof(info.tcpi_bytes_retrans);
	if (attribute->type != INET_DIAG_INFO || attribute->size < needed)
		return;
	memcpy(&info, attribute->value, needed);
	flow->sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
	flow->received = info.tcpi_bytes_received;
}

static void add_flow(void *data, const void *payload, size_t size)
{
	struct relays *relays = data;
	struct inet_diag_msg message;
	if (size < sizeof(message))
		return;
	memcpy(&message, payload, sizeof(message));
	const struct inet_diag_sockid *id = &message.id;
	struct relay_end flow = {
		.local = endpoint_make(message.idiag_family, id->idiag_src, ntohs(id->idiag_sport)),
		.remote =
			endpoint_make(message.idiag_family, id->idiag_dst, ntohs(id->idiag_dport)),
		.network = relays->network,
		.inode = message.idiag_inode,
		.listens = message.idiag_state == LISTEN,
	};
	struct netlink_attribute attribute;
	size_t offset = NLMSG_ALIGN(sizeof(message));
	while (netlink_next_attribute(payload, size, &offset, &attribute))
		read_counters(&attribute, &flow);
	if (!flow.inode)
		return;
	relays->flows =
		mem_grow(relays->flows, relays->count, &relays->room, sizeof(*relays->flows));
	relays->flows[relays->count++] = flow;
}

/* Lists the connections of the thread's network namespace. */
static void list_flows(struct relays *relays)
{
	struct netlink *netlink = sockets_netlink();
	/* a request without a family, as in collect/sockets: one walk over the kernel's table */
	const struct inet_diag_req request = {
		.idiag_ext = 1u << (INET_DIAG_INFO - 1),
		.idiag_states = SEEN_STATES,
	};
	/* missing rows can hide a forwarder, but never invent one */
	(void)!netlink_dump(netlink, TCPDIAG_GETSOCK, &request, sizeof(request), add_flow, relays);
	netlink_free(netlink);
}

struct relays_visit {
	struct relays *relays;
	const struct procfs *procfs;
};

/* Without the right to enter a namespace the thread stays where it is, and lists nothing twice. */
static void *visit_all(void *data)
{
	const struct relays_visit *visit = data;
	struct relays *relays = visit->relays;
	int root = procfs_root(visit->procfs);
	uint64_t own = procfs_namespace(root, "self/ns/net");
	struct namespaces found;
	if (namespaces_list(visit->procfs, relays->arena, &found) < 0)
		return NULL;
	for (size_t i = 0; i < found.count; i++) {
		char path[16];
		snprintf(path, sizeof(path), "%" PRId32, found.networks[i].pid);
		CLEANUP(cleanup_fd)
		int process = openat(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (found.networks[i].id && found.networks[i].id != own && process >= 0 &&
			namespace_visit_enter(visit->procfs, process, found.networks[i].id)) {
			relays->network = found.networks[i].id;
			list_flows(relays);
		}
	}
	return NULL;
}

static uint64_t ends_key(const struct endpoint *local, const struct endpoint *remote)
{
	return map_mix(endpoint_key(local), endpoint_key(remote));
}

static uint64_t listening_key(const struct relay_end *end)
{
	return map_mix(end->network, end->local.port);
}

static void index_ends(struct relays *relays)
{
	relays->by_inode = map_new(relays->arena, relays->count);
	relays->by_ends = map_new(relays->arena, relays->count);
	relays->listening = map_new(relays->arena, relays->count);
	relays->next = arena_array(relays->arena, relays->count, sizeof(*relays->next));
	for (uint32_t i = 0; i < relays->count; i++) {
		const struct relay_end *end = &relays->flows[i];
		map_set(relays->by_inode, end->inode, i);
		relays->next[i] = NO_END;
		if (end->listens) {
			map_set(relays->listening, listening_key(end), i);
			continue;
		}
		uint64_t key = ends_key(&end->local, &end->remote);
		relays->next[i] = map_get(relays->by_ends, key);
		map_set(relays->by_ends, key, i);
	}
}

struct relays *relays_new(struct arena *arena, const char *proc_root)
{
	struct relays *relays = arena_alloc(arena, sizeof(*relays));
	*relays = (struct relays){ .arena = arena };
	struct procfs *procfs = procfs_new(proc_root);
	relays->network = procfs_namespace(procfs_root(procfs), "self/ns/net");
	list_flows(relays);
	namespace_visit(visit_all, &(struct relays_visit){ relays, procfs });
	procfs_free(procfs);
	struct relay_end *flows = arena_array(arena, relays->count, sizeof(*flows));
	if (relays->count)
		memcpy(flows, relays->flows, relays->count * sizeof(*flows));
	free(relays->flows);
	relays->flows = flows;
	index_ends(relays);
	return relays;
}

const struct relay_end *relays_find(const struct relays *relays, uint32_t inode)
{
	uint32_t index = map_get(relays->by_inode, inode);
	return index == MAP_NONE ? NULL : &relays->flows[index];
}

static bool carries_enough(const struct relay_end *flow)
{
	return flow->sent + flow->received >= FEWEST_BYTES;
}

static bool is_far_end(const struct relay_end *end, const struct relay_end *other)
{
	return endpoint_equal(&end->local, &other->remote) &&
		endpoint_equal(&end->remote, &other->local);
}

const struct relay_end *relays_far_end(const struct relays *relays, const struct relay_end *end)
{
	const struct relay_end *found = NULL;
	bool ambiguous = false;
	uint32_t index = map_get(relays->by_ends, ends_key(&end->remote, &end->local));
	for (; index != NO_END; index = relays->next[index]) {
		const struct relay_end *other = &relays->flows[index];
		if (!is_far_end(end, other))
			continue;
		if (other->network == end->network)
			return other;
		ambiguous = found != NULL;
		found = other;
	}
	return ambiguous || endpoint_is_loopback(&end->remote) ? NULL : found;
}

bool relays_is_accepted(const struct relays *relays, const struct relay_end *end)
{
	return map_get(relays->listening, listening_key(end)) != MAP_NONE;
}

bool relays_carry_the_same(const struct relay_end *a, const struct relay_end *b)
{
	return a->sent == b->received && a->received == b->sent && carries_enough(a);
}

static bool is_one_of(const uint16_t *ports, size_t n_ports, uint16_t port)
{
	for (size_t i = 0; i < n_ports; i++)
		if (ports[i] == port)
			return true;
	return false;
}

bool relays_forwards(const struct relays *relays, const uint32_t *inodes, size_t n_inodes,
	const uint16_t *ports, size_t n_ports)
{
	struct map *by_bytes = map_new(relays->arena, n_inodes);
	for (size_t i = 0; i < n_inodes; i++) {
		const struct relay_end *flow = relays_find(relays, inodes[i]);
		if (flow && carries_enough(flow) && !is_one_of(ports, n_ports, flow->remote.port))
			map_set(by_bytes, map_mix(flow->sent, flow->received), inodes[i]);
	}
	for (size_t i = 0; i < n_inodes; i++) {
		const struct relay_end *flow = relays_find(relays, inodes[i]);
		if (!flow || !carries_enough(flow) || !is_one_of(ports, n_ports, flow->remote.port))
			continue;
		uint32_t inode = map_get(by_bytes, map_mix(flow->received, flow->sent));
		const struct relay_end *twin =
			inode == MAP_NONE ? NULL : relays_find(relays, inode);
		/* a process may be connected to itself */
		if (twin && !endpoint_equal(&twin->local, &flow->remote))
			return true;
	}
	return false;
}
