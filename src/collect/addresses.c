/* This machine's addresses. */
#include "collect/addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model/endpoint.h"

static void cleanup_interfaces(struct ifaddrs **interfaces)
{
	freeifaddrs(*interfaces);
}

int addresses_local(struct arena *arena, struct endpoint **ret_addresses, size_t *ret_count)
{
	CLEANUP(cleanup_interfaces) struct ifaddrs *interfaces = NULL;
	if (getifaddrs(&interfaces) < 0)
		return -errno;
	size_t room = 0, count = 0;
	for (const struct ifaddrs *i = interfaces; i; i = i->ifa_next)
		room++;
	struct endpoint *addresses = arena_array(arena, room, sizeof(*addresses));
	for (const struct ifaddrs *i = interfaces; i; i = i->ifa_next) {
		if (!i->ifa_addr)
			continue;
		struct endpoint address = endpoint_from_sockaddr(i->ifa_addr);
		if (address.family != AF_UNSPEC)
			addresses[count++] = address;
	}
	*ret_addresses = addresses;
	*ret_count = count;
	return 0;
}
