/* Rows of the kernel's connection tracking: which are translated connections, and that no bytes are
 * read beyond them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "collect/nat.h"
#include "model/peers.h"
#include "nat_row.h"

static struct nat_row make_row(uint8_t protocol, const char *client, const char *server,
	const char *client_seen, uint16_t port_seen, const char *server_real)
{
	struct nat_row row = nat_row_begin();
	uint32_t status = htonl(0x188);
	nat_row_add_tuple(&row, CTA_TUPLE_ORIG, protocol, &(struct nat_side){ client, 5001 },
		&(struct nat_side){ server, 15432 });
	nat_row_add_tuple(&row, CTA_TUPLE_REPLY, protocol, &(struct nat_side){ server_real, 5432 },
		&(struct nat_side){ client_seen, port_seen });
	nat_row_add(&row, CTA_STATUS, &status, sizeof(status));
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
	struct nat_row row =
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
	struct nat_row row =
		make_row(IPPROTO_UDP, "10.0.0.3", "10.0.0.1", "10.1.0.1", 40000, "10.1.0.2");
	assert_false(nat_read(row.bytes, row.size, &nat));
	/* nothing is translated */
	static const struct nat_side client = { "10.0.0.3", 5001 }, server = { "10.0.0.1", 5432 };
	struct nat_row plain = nat_row_begin();
	nat_row_add_tuple(&plain, CTA_TUPLE_ORIG, IPPROTO_TCP, &client, &server);
	nat_row_add_tuple(&plain, CTA_TUPLE_REPLY, IPPROTO_TCP, &server, &client);
	assert_false(nat_read(plain.bytes, plain.size, &nat));
}

/* Each row is read from memory of exactly its size: a sanitizer sees what is beyond. */
static void cut_rows_are_refused(void **state)
{
	(void)state;
	struct peers_nat nat;
	struct nat_row row =
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
