/* Rows of the kernel's connection tracking: which are translated connections, and that no bytes are
 * read beyond them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "collect/nat.h"
#include "model/peers.h"

struct row {
	unsigned char bytes[512];
	size_t size;
};

static size_t begin(struct row *row, uint16_t type)
{
	const struct nlattr header = { .nla_type = type };
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

static void add(struct row *row, uint16_t type, const void *value, size_t size)
{
	size_t at = begin(row, type);
	memcpy(row->bytes + row->size, value, size);
	row->size += size;
	end(row, at);
}

static void add_address(struct row *row, uint16_t type, const char *address)
{
	unsigned char bytes[16];
	bool is_v4 = inet_pton(AF_INET, address, bytes) == 1;
	if (!is_v4)
		assert_int_equal(inet_pton(AF_INET6, address, bytes), 1);
	/* the types of IPv6 are two more */
	add(row, (uint16_t)(is_v4 ? type : type + 2), bytes, is_v4 ? 4 : 16);
}

static void add_tuple(struct row *row, uint16_t type, uint8_t protocol, const char *source,
	uint16_t source_port, const char *destination, uint16_t destination_port)
{
	uint16_t ports[2] = { htons(source_port), htons(destination_port) };
	size_t tuple = begin(row, type | NLA_F_NESTED);
	size_t ip = begin(row, CTA_TUPLE_IP | NLA_F_NESTED);
	add_address(row, CTA_IP_V4_SRC, source);
	add_address(row, CTA_IP_V4_DST, destination);
	end(row, ip);
	size_t proto = begin(row, CTA_TUPLE_PROTO | NLA_F_NESTED);
	add(row, CTA_PROTO_NUM, &protocol, 1);
	add(row, CTA_PROTO_SRC_PORT, &ports[0], 2);
	add(row, CTA_PROTO_DST_PORT, &ports[1], 2);
	end(row, proto);
	end(row, tuple);
}

static struct row make_row(uint8_t protocol, const char *client, const char *server,
	const char *client_seen, uint16_t port_seen, const char *server_real)
{
	struct row row = { .size = NLMSG_ALIGN(sizeof(struct nfgenmsg)) };
	uint32_t status = htonl(0x188);
	add_tuple(&row, CTA_TUPLE_ORIG, protocol, client, 5001, server, 15432);
	add_tuple(&row, CTA_TUPLE_REPLY, protocol, server_real, 5432, client_seen, port_seen);
	add(&row, CTA_STATUS, &status, sizeof(status));
	return row;
}

static void check_end(const struct endpoint *end, const char *expected)
{
	char text[ENDPOINT_TEXT_MAX];
	assert_string_equal(endpoint_format(end, text), expected);
}

static void a_translated_connection_has_both_views(void **state)
{
	(void)state;
	struct peers_nat nat;
	struct row row =
		make_row(IPPROTO_TCP, "10.0.0.3", "10.0.0.1", "10.1.0.1", 40000, "10.1.0.2");
	assert_true(nat_read(row.bytes, row.size, &nat));
	check_end(&nat.client, "10.0.0.3:5001");
	check_end(&nat.server, "10.0.0.1:15432");
	check_end(&nat.client_seen, "10.1.0.1:40000");
	check_end(&nat.server_real, "10.1.0.2:5432");
	row = make_row(IPPROTO_TCP, "fd00::3", "fd00::1", "fd01::1", 40000, "fd01::2");
	assert_true(nat_read(row.bytes, row.size, &nat));
	check_end(&nat.client, "[fd00::3]:5001");
	check_end(&nat.server_real, "[fd01::2]:5432");
}

static void others_are_left_out(void **state)
{
	(void)state;
	struct peers_nat nat;
	struct row row =
		make_row(IPPROTO_UDP, "10.0.0.3", "10.0.0.1", "10.1.0.1", 40000, "10.1.0.2");
	assert_false(nat_read(row.bytes, row.size, &nat));
	/* nothing is translated */
	struct row plain = { .size = NLMSG_ALIGN(sizeof(struct nfgenmsg)) };
	add_tuple(&plain, CTA_TUPLE_ORIG, IPPROTO_TCP, "10.0.0.3", 5001, "10.0.0.1", 5432);
	add_tuple(&plain, CTA_TUPLE_REPLY, IPPROTO_TCP, "10.0.0.1", 5432, "10.0.0.3", 5001);
	assert_false(nat_read(plain.bytes, plain.size, &nat));
}

/* Each row is read from memory of exactly its size: a sanitizer sees what is beyond. */
static void cut_rows_are_refused(void **state)
{
	(void)state;
	struct peers_nat nat;
	struct row row =
		make_row(IPPROTO_TCP, "10.0.0.3", "10.0.0.1", "10.1.0.1", 40000, "10.1.0.2");
	size_t without_status = row.size - NLA_HDRLEN - 4;
	for (size_t size = 0; size < without_status; size++) {
		unsigned char *bytes = malloc(size + 1);
		memcpy(bytes, row.bytes, size);
		assert_false(nat_read(bytes, size, &nat));
		free(bytes);
	}
	assert_true(nat_read(row.bytes, without_status, &nat));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_translated_connection_has_both_views),
		cmocka_unit_test(others_are_left_out),
		cmocka_unit_test(cut_rows_are_refused),
	};
	return cmocka_run_group_tests_name("nat", tests, NULL, NULL);
}
