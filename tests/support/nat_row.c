#include "nat_row.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct nat_row nat_row_begin(void)
{
	return (struct nat_row){ .size = NLMSG_ALIGN(sizeof(struct nfgenmsg)) };
}

static size_t begin(struct nat_row *row, int type)
{
	const struct nlattr header = { .nla_type = (uint16_t)type };
	size_t at = row->size;
	memcpy(row->bytes + at, &header, sizeof(header));
	row->size += NLA_HDRLEN;
	return at;
}

static void end(struct nat_row *row, size_t at)
{
	uint16_t length = (uint16_t)(row->size - at);
	memcpy(row->bytes + at, &length, sizeof(length));
	row->size = NLA_ALIGN(row->size);
}

void nat_row_add(struct nat_row *row, int type, const void *value, size_t size)
{
	size_t at = begin(row, type);
	memcpy(row->bytes + row->size, value, size);
	row->size += size;
	end(row, at);
}

static void add_address(struct nat_row *row, int type, const char *address)
{
	uint8_t bytes[16];
	bool is_v4 = inet_pton(AF_INET, address, bytes) == 1;
	if (!is_v4 && inet_pton(AF_INET6, address, bytes) != 1)
		abort();
	/* the number of the type for IPv6 is greater by two */
	nat_row_add(row, is_v4 ? type : type + 2, bytes, is_v4 ? 4 : 16);
}

void nat_row_add_tuple(struct nat_row *row, int type, uint8_t protocol,
	const struct nat_side *source, const struct nat_side *destination)
{
	uint16_t ports[2] = { htons(source->port), htons(destination->port) };
	size_t tuple = begin(row, type | NLA_F_NESTED);
	size_t ip = begin(row, CTA_TUPLE_IP | NLA_F_NESTED);
	add_address(row, CTA_IP_V4_SRC, source->address);
	add_address(row, CTA_IP_V4_DST, destination->address);
	end(row, ip);
	size_t proto = begin(row, CTA_TUPLE_PROTO | NLA_F_NESTED);
	nat_row_add(row, CTA_PROTO_NUM, &protocol, sizeof(protocol));
	nat_row_add(row, CTA_PROTO_SRC_PORT, &ports[0], sizeof(ports[0]));
	nat_row_add(row, CTA_PROTO_DST_PORT, &ports[1], sizeof(ports[1]));
	end(row, proto);
	end(row, tuple);
}
