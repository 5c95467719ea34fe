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

/* TCP_ESTABLISHED and TCP_CLOSE_WAIT of netinet/tcp.h, which has another struct tcp_info. */
#define OPEN_STATES (1u << 1 | 1u << 8)

/* A login to PostgreSQL takes more bytes than this, both directions together. */
#define FEWEST_BYTES 100

struct flow {
	struct endpoint local, remote;
	uint64_t sent, received;
	uint32_t inode;
};

struct relays {
	struct arena *arena;
	struct map *by_inode;
	struct flow *flows;
	size_t count, room;
};

static void read_counters(const struct netlink_attribute *attribute, struct flow *flow)
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
	struct flow flow = {
		.local = endpoint_make(message.idiag_family, id->idiag_src, ntohs(id->idiag_sport)),
		.remote =
			endpoint_make(message.idiag_family, id->idiag_dst, ntohs(id->idiag_dport)),
		.inode = message.idiag_inode,
	};
	struct netlink_attribute attribute;
	size_t offset = NLMSG_ALIGN(sizeof(message));
	while (netlink_next_attribute(payload, size, &offset, &attribute))
		read_counters(&attribute, &flow);
	if (!flow.inode || flow.sent + flow.received < FEWEST_BYTES)
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
		.idiag_states = OPEN_STATES,
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
			namespace_visit_enter(visit->procfs, process, found.networks[i].id))
			list_flows(relays);
	}
	return NULL;
}

struct relays *relays_new(struct arena *arena, const char *proc_root)
{
	struct relays *relays = arena_alloc(arena, sizeof(*relays));
	*relays = (struct relays){ .arena = arena };
	struct procfs *procfs = procfs_new(proc_root);
	list_flows(relays);
	namespace_visit(visit_all, &(struct relays_visit){ relays, procfs });
	procfs_free(procfs);
	struct flow *flows = arena_array(arena, relays->count, sizeof(*flows));
	if (relays->count)
		memcpy(flows, relays->flows, relays->count * sizeof(*flows));
	free(relays->flows);
	relays->flows = flows;
	relays->by_inode = map_new(arena, relays->count);
	for (size_t i = 0; i < relays->count; i++)
		map_set(relays->by_inode, flows[i].inode, (uint32_t)i);
	return relays;
}

static const struct flow *find_flow(const struct relays *relays, uint32_t inode)
{
	uint32_t index = map_get(relays->by_inode, inode);
	return index == MAP_NONE ? NULL : &relays->flows[index];
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
		const struct flow *flow = find_flow(relays, inodes[i]);
		if (flow && !is_one_of(ports, n_ports, flow->remote.port))
			map_set(by_bytes, map_mix(flow->sent, flow->received), inodes[i]);
	}
	for (size_t i = 0; i < n_inodes; i++) {
		const struct flow *flow = find_flow(relays, inodes[i]);
		if (!flow || !is_one_of(ports, n_ports, flow->remote.port))
			continue;
		uint32_t inode = map_get(by_bytes, map_mix(flow->received, flow->sent));
		const struct flow *twin = inode == MAP_NONE ? NULL : find_flow(relays, inode);
		/* a process may be connected to itself */
		if (twin && !endpoint_equal(&twin->local, &flow->remote))
			return true;
	}
	return false;
}
