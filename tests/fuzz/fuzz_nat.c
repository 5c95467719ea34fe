/* collect/nat: a row of the kernel's connection tracking, behind its netlink header. */
#include <string.h>

#include "collect/nat.h"
#include "fuzz.h"
#include "model/peers.h"

static void check_end(const struct endpoint *end)
{
	char text[ENDPOINT_TEXT_MAX];
	MUST(end->port != 0);
	MUST(strlen(endpoint_format(end, text)) < sizeof(text));
}

/* What is accepted is a whole translation of both ends. */
bool fuzz_one(const uint8_t *data, size_t size)
{
	struct peers_nat row;
	if (!nat_read(data, size, &row))
		return false;
	check_end(&row.client);
	check_end(&row.server);
	check_end(&row.client_seen);
	check_end(&row.server_real);
	MUST(!endpoint_equal(&row.client, &row.client_seen) ||
		!endpoint_equal(&row.server, &row.server_real));
	return true;
}
