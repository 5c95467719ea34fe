/* Addresses in a normalized form, so that equal ends compare equal. */
#include "model/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
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
	if (endpoint->family == AF_INET) {
		uint32_t address;
		memcpy(&address, endpoint->address, sizeof(address));
		return (uint64_t)AF_INET << 48 | (uint64_t)endpoint->port << 32 | address;
	}
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

/* Digits alone, without a sign; 0 is no port. */
static bool parse_port(const char *text, uint16_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	long port = digits > 0 && digits <= 5 && !text[digits] ? strtol(text, NULL, 10) : 0;
	if (port <= 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool parse_address(const char *text, size_t length, struct endpoint *ret_endpoint)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char bytes[sizeof(struct in6_addr)];
	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	int family = memchr(copy, ':', length) ? AF_INET6 : AF_INET;
	if (inet_pton(family, copy, bytes) != 1)
		return false;
	*ret_endpoint = endpoint_make(family, bytes, 0);
	return true;
}

bool endpoint_parse(const char *text, struct endpoint *ret_endpoint)
{
	struct endpoint endpoint;
	uint16_t port = 0;
	const char *end = text + strlen(text), *bracket = strchr(text, ']');
	const char *colon = strrchr(text, ':');
	bool is_bracketed = text[0] == '[' && bracket;
	if (is_bracketed && (bracket[1] != ':' || !parse_port(bracket + 2, &port)))
		return false;
	if (is_bracketed) {
		text++;
		end = bracket;
	} else if (colon && colon == strchr(text, ':')) {
		if (!parse_port(colon + 1, &port))
			return false;
		end = colon;
	}
	if (!parse_address(text, (size_t)(end - text), &endpoint))
		return false;
	endpoint.port = port;
	*ret_endpoint = endpoint;
	return true;
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
