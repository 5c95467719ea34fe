/* Rows of the kernel's connection tracking: a connection through a published port, over IPv4 and
 * IPv6, and one that is not translated. */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include "make_seeds.h"
#include "nat_row.h"

static void write_row(const char *folder, const char *name, const struct nat_side sides[4])
{
	struct nat_row row = nat_row_begin();
	nat_row_add_tuple(&row, CTA_TUPLE_ORIG, IPPROTO_TCP, &sides[0], &sides[1]);
	nat_row_add_tuple(&row, CTA_TUPLE_REPLY, IPPROTO_TCP, &sides[2], &sides[3]);
	seed_write(folder, name, row.bytes, row.size);
}

/* Each is client → server as it began, and the answers: server → client. */
void seeds_nat(const char *folder)
{
	static const struct nat_side published[] = { { "10.0.1.2", 40000 }, { "10.0.1.1", 15432 },
		{ "10.0.0.2", 5432 }, { "10.0.0.1", 40001 } };
	static const struct nat_side over_ipv6[] = { { "fd00::1:2", 40000 }, { "fd00::1:1", 15432 },
		{ "fd00::2", 5432 }, { "fd00::1:2", 40000 } };
	static const struct nat_side plain[] = { { "10.0.1.2", 40000 }, { "10.0.0.2", 5432 },
		{ "10.0.0.2", 5432 }, { "10.0.1.2", 40000 } };
	write_row(folder, "published", published);
	write_row(folder, "ipv6", over_ipv6);
	write_row(folder, "refused-plain", plain);
}
