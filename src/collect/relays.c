/* Reads the kernel's counters of each TCP connection with sock_diag(7). An application that answers
 * its clients from the database may have as many connections as a forwarder, but never the same
 * number of bytes in both directions. */
#include "collect/relays.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/netlink.h"
#include "collect/sockets.h"
#include "model/endpoint.h"

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

struct relays *relays_new(struct arena *arena)
{
	struct relays *relays = arena_alloc(arena, sizeof(*relays));
	struct netlink *netlink = sockets_netlink();
	/* a request without a family, as in collect/sockets: one walk over the kernel's table */
	const struct inet_diag_req request = {
		.idiag_ext = 1u << (INET_DIAG_INFO - 1),
		.idiag_states = OPEN_STATES,
	};
	*relays = (struct relays){ .arena = arena };
	/* missing rows can hide a forwarder, but never invent one */
	(void)!netlink_dump(netlink, TCPDIAG_GETSOCK, &request, sizeof(request), add_flow, relays);
	netlink_free(netlink);
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

bool relays_forwards(
	const struct relays *relays, const uint32_t *inodes, size_t n_inodes, uint16_t port)
{
	struct map *by_bytes = map_new(relays->arena, n_inodes);
	for (size_t i = 0; i < n_inodes; i++) {
		const struct flow *flow = find_flow(relays, inodes[i]);
		if (flow && flow->remote.port != port)
			map_set(by_bytes, map_mix(flow->sent, flow->received), inodes[i]);
	}
	for (size_t i = 0; i < n_inodes; i++) {
		const struct flow *flow = find_flow(relays, inodes[i]);
		if (!flow || flow->remote.port != port)
			continue;
		uint32_t inode = map_get(by_bytes, map_mix(flow->received, flow->sent));
		const struct flow *twin = inode == MAP_NONE ? NULL : find_flow(relays, inode);
		/* a process may be connected to itself */
		if (twin && !endpoint_equal(&twin->local, &flow->remote))
			return true;
	}
	return false;
}
