/* Conntrack's netlink rows, without a library: a row has two tuples, the connection as it began and
 * its answers. Where nothing is translated one is the other turned round. */
#include "collect/nat.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "collect/netlink.h"
#include "model/peers.h"
#include "proc/read_file.h"

/* The tracked connections of the thread's namespace. Where it is missing the kernel tracks none,
 * and asking would load the module. */
#define TRACKED "/proc/sys/net/netfilter/nf_conntrack_count"

struct tuple {
	struct endpoint source, destination;
	bool is_tcp;
};

struct nat_rows {
	const uint16_t *ports;
	size_t n_ports;
	uint64_t network;
	struct peers_nat *rows;
	size_t count, room;
};

static void read_address(const struct netlink_attribute *ip, struct tuple *tuple)
{
	struct netlink_attribute part;
	for (size_t offset = 0; netlink_next_attribute(ip->value, ip->size, &offset, &part);) {
		bool is_source = part.type == CTA_IP_V4_SRC || part.type == CTA_IP_V6_SRC;
		struct endpoint *end = is_source ? &tuple->source : &tuple->destination;
		bool is_v4 = part.type == CTA_IP_V4_SRC || part.type == CTA_IP_V4_DST;
		bool is_v6 = part.type == CTA_IP_V6_SRC || part.type == CTA_IP_V6_DST;
		if ((is_v4 && part.size >= 4) || (is_v6 && part.size >= 16))
			*end = endpoint_make(is_v4 ? AF_INET : AF_INET6, part.value, end->port);
	}
}

static void read_protocol(const struct netlink_attribute *protocol, struct tuple *tuple)
{
	struct netlink_attribute part;
	size_t offset = 0;
	while (netlink_next_attribute(protocol->value, protocol->size, &offset, &part)) {
		uint16_t port;
		if (part.type == CTA_PROTO_NUM && part.size >= 1)
			tuple->is_tcp = *(const uint8_t *)part.value == IPPROTO_TCP;
		if (part.size < sizeof(port))
			continue;
		memcpy(&port, part.value, sizeof(port));
		if (part.type == CTA_PROTO_SRC_PORT)
			tuple->source.port = ntohs(port);
		else if (part.type == CTA_PROTO_DST_PORT)
			tuple->destination.port = ntohs(port);
	}
}

static void read_tuple(const struct netlink_attribute *attribute, struct tuple *tuple)
{
	struct netlink_attribute part;
	size_t offset = 0;
	while (netlink_next_attribute(attribute->value, attribute->size, &offset, &part)) {
		if (part.type == CTA_TUPLE_IP)
			read_address(&part, tuple);
		else if (part.type == CTA_TUPLE_PROTO)
			read_protocol(&part, tuple);
	}
}

static bool is_complete(const struct tuple *tuple)
{
	return tuple->is_tcp && tuple->source.family != AF_UNSPEC &&
		tuple->destination.family != AF_UNSPEC && tuple->source.port &&
		tuple->destination.port;
}

bool nat_read(const void *payload, size_t size, struct peers_nat *ret)
{
	struct tuple original = { 0 }, reply = { 0 };
	struct netlink_attribute attribute;
	size_t offset = NLMSG_ALIGN(sizeof(struct nfgenmsg));
	while (netlink_next_attribute(payload, size, &offset, &attribute)) {
		if (attribute.type == CTA_TUPLE_ORIG)
			read_tuple(&attribute, &original);
		else if (attribute.type == CTA_TUPLE_REPLY)
			read_tuple(&attribute, &reply);
	}
	if (!is_complete(&original) || !is_complete(&reply))
		return false;
	*ret = (struct peers_nat){
		.client = original.source,
		.server = original.destination,
		.client_seen = reply.destination,
		.server_real = reply.source,
	};
	return !endpoint_equal(&ret->client, &ret->client_seen) ||
		!endpoint_equal(&ret->server, &ret->server_real);
}

static void add_row(void *data, const void *payload, size_t size)
{
	struct nat_rows *rows = data;
	struct peers_nat row;
	bool wanted = false;
	if (!nat_read(payload, size, &row))
		return;
	for (size_t i = 0; i < rows->n_ports; i++)
		wanted |=
			row.server.port == rows->ports[i] || row.server_real.port == rows->ports[i];
	if (!wanted)
		return;
	row.network = rows->network;
	rows->rows = mem_grow(rows->rows, rows->count, &rows->room, sizeof(*rows->rows));
	rows->rows[rows->count++] = row;
}

static bool are_some_tracked(void)
{
	char text[16];
	return read_file(AT_FDCWD, TRACKED, text, sizeof(text)) > 0 && strcmp(text, "0\n") != 0;
}

static void keep_rows(struct peers *peers, const struct nat_rows *rows)
{
	struct peers_nat *all = arena_array(peers->arena, peers->n_nat + rows->count, sizeof(*all));
	if (peers->n_nat)
		memcpy(all, peers->nat, peers->n_nat * sizeof(*all));
	if (rows->count)
		memcpy(all + peers->n_nat, rows->rows, rows->count * sizeof(*all));
	peers->nat = all;
	peers->n_nat += rows->count;
}

int nat_dump(struct peers *peers, const uint16_t *ports, size_t n_ports, uint64_t network)
{
	const struct nfgenmsg request = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
	struct nat_rows rows = { .ports = ports, .n_ports = n_ports, .network = network };
	if (!are_some_tracked())
		return 0;
	struct netlink *netlink = netlink_new(NETLINK_NETFILTER);
	int error = netlink_dump_as(netlink, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, &request, sizeof(request), add_row,
		&rows);
	netlink_free(netlink);
	if (error == 0)
		keep_rows(peers, &rows);
	free(rows.rows);
	return error;
}
