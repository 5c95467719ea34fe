/* Addresses in a normalized form, so that equal ends compare equal. */
#include "model/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"

static size_t address_size(const struct endpoint *endpoint)
{
	switch (endpoint->family) {
	case AF_INET: return 4;
	case AF_INET6: return 16;
	default: return 0;
	}
}

struct endpoint endpoint_make(int family, const void *address, uint16_t port)
{
	/* memcmp(), because the bytes may not be aligned as the macros of in6_addr need them. */
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct endpoint endpoint = { .family = (uint8_t)family, .port = port };
	if (family == AF_INET6 && memcmp(address, mapped, sizeof(mapped)) == 0) {
		endpoint.family = AF_INET;
		address = (const uint8_t *)address + 12;
	}
	memcpy(endpoint.address, address, address_size(&endpoint));
	return endpoint;
}

struct endpoint endpoint_from_sockaddr(const struct sockaddr *sockaddr)
{
	if (sockaddr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sockaddr;
		return endpoint_make(AF_INET, &in->sin_addr, ntohs(in->sin_port));
	}
	if (sockaddr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sockaddr;
		return endpoint_make(AF_INET6, &in6->sin6_addr, ntohs(in6->sin6_port));
	}
	return (struct endpoint){ .family = sockaddr->sa_family == AF_UNIX ? AF_UNIX : AF_UNSPEC };
}

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && memcmp(a->address, b->address, address_size(a)) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && endpoint_same_address(a, b);
}

bool endpoint_is_loopback(const struct endpoint *endpoint)
{
	if (endpoint->family == AF_INET)
		return endpoint->address[0] == 127;
	return endpoint->family == AF_INET6 &&
		memcmp(endpoint->address, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

uint64_t endpoint_key(const struct endpoint *endpoint)
{
	uint64_t words[2];
	memcpy(words, endpoint->address, sizeof(words));
	uint64_t key = map_mix(words[0], words[1]);
	return map_mix(key, (uint64_t)endpoint->family << 16 | endpoint->port);
}

char *endpoint_address(const struct endpoint *endpoint, char text[static ENDPOINT_TEXT_MAX])
{
	text[0] = '\0';
	if (address_size(endpoint))
		inet_ntop(endpoint->family, endpoint->address, text, ENDPOINT_TEXT_MAX);
	return text;
}

char *endpoint_format(const struct endpoint *endpoint, char text[static ENDPOINT_TEXT_MAX])
{
	char address[INET6_ADDRSTRLEN + 2];
	text[0] = '\0';
	if (endpoint->family == AF_UNIX) {
		strcpy(text, "local");
	} else if (address_size(endpoint)) {
		inet_ntop(endpoint->family, endpoint->address, address, INET6_ADDRSTRLEN);
		snprintf(text, ENDPOINT_TEXT_MAX,
			endpoint->family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
			endpoint->port);
	}
	return text;
}
