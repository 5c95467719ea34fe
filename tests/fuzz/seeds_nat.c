/* Rows of the kernel's connection tracking: a connection through a published port, over IPv4 and
 * IPv6, and one that is not translated. */
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "make_seeds.h"

struct row {
	uint8_t bytes[512];
	size_t size;
};

static size_t begin(struct row *row, int type)
{
	const struct nlattr header = { .nla_type = (uint16_t)type };
	size_t at = row->size;
	memcpy(row->bytes + at, &header, sizeof(header));
	row->size += NLA_HDRLEN;
	return at;
}

static void end(struct row *row, size_t at)
{
	uint16_t length = (uint16_t)(row->size - at);
	memcpy(row->bytes + at, &length, sizeof(length));
	row->size = NLA_ALIGN(row->size);
}

static void add(struct row *row, int type, const void *value, size_t size)
{
	size_t at = begin(row, type);
	memcpy(row->bytes + row->size, value, size);
	row->size += size;
	end(row, at);
}

struct side {
	const char *address;
	uint16_t port;
};

static void add_side(struct row *row, int v4, int v6, const struct side *side)
{
	uint8_t bytes[16];
	bool is_v4 = inet_pton(AF_INET, side->address, bytes) == 1;
	MUST(is_v4 || inet_pton(AF_INET6, side->address, bytes) == 1);
	add(row, is_v4 ? v4 : v6, bytes, is_v4 ? 4 : 16);
}

static void add_tuple(
	struct row *row, int type, const struct side *source, const struct side *destination)
{
	const uint8_t protocol = IPPROTO_TCP;
	uint16_t source_port = htons(source->port), destination_port = htons(destination->port);
	size_t tuple = begin(row, type | NLA_F_NESTED);
	size_t ip = begin(row, CTA_TUPLE_IP | NLA_F_NESTED);
	add_side(row, CTA_IP_V4_SRC, CTA_IP_V6_SRC, source);
	add_side(row, CTA_IP_V4_DST, CTA_IP_V6_DST, destination);
	end(row, ip);
	size_t proto = begin(row, CTA_TUPLE_PROTO | NLA_F_NESTED);
	add(row, CTA_PROTO_NUM, &protocol, sizeof(protocol));
	add(row, CTA_PROTO_SRC_PORT, &source_port, sizeof(source_port));
	add(row, CTA_PROTO_DST_PORT, &destination_port, sizeof(destination_port));
	end(row, proto);
	end(row, tuple);
}

static void write_row(const char *folder, const char *name, const struct side sides[4])
{
	struct row row = { .size = NLMSG_ALIGN(sizeof(struct nfgenmsg)) };
	add_tuple(&row, CTA_TUPLE_ORIG, &sides[0], &sides[1]);
	add_tuple(&row, CTA_TUPLE_REPLY, &sides[2], &sides[3]);
	seed_write(folder, name, row.bytes, row.size);
}

/* Each is client → server as it began, and the answers: server → client. */
void seeds_nat(const char *folder)
{
	static const struct side published[] = { { "10.0.1.2", 40000 }, { "10.0.1.1", 15432 },
		{ "10.0.0.2", 5432 }, { "10.0.0.1", 40001 } };
	static const struct side over_ipv6[] = { { "fd00::1:2", 40000 }, { "fd00::1:1", 15432 },
		{ "fd00::2", 5432 }, { "fd00::1:2", 40000 } };
	static const struct side plain[] = { { "10.0.1.2", 40000 }, { "10.0.0.2", 5432 },
		{ "10.0.0.2", 5432 }, { "10.0.1.2", 40000 } };
	write_row(folder, "published", published);
	write_row(folder, "ipv6", over_ipv6);
	write_row(folder, "refused-plain", plain);
}
