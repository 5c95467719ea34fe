/* One end of a connection: an address and a port, or a Unix socket. */
#ifndef MODEL_ENDPOINT_H
#define MODEL_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

#define ENDPOINT_TEXT_MAX 64

/* An IPv4 address mapped into IPv6 (::ffff:127.0.0.1) is stored as IPv4: dual-stack sockets show
 * either form for the same connection. */
struct endpoint {
	uint8_t family; /* AF_INET, AF_INET6, AF_UNIX (no address), AF_UNSPEC: not known */
	uint16_t port;  /* host byte order; 0 for AF_UNIX and AF_UNSPEC */
	uint8_t address[16];
};

/* From an AF_INET or AF_INET6 address in network byte order. */
struct endpoint endpoint_make(int family, const void *address, uint16_t port);

/* An unknown family becomes AF_UNSPEC. */
struct endpoint endpoint_from_sockaddr(const struct sockaddr *sockaddr);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b);
bool endpoint_is_loopback(const struct endpoint *endpoint);

/* A hash key of address and port, for base/map. */
uint64_t endpoint_key(const struct endpoint *endpoint);

/* 127.0.0.1:5432, [::1]:5432, "local" for a Unix socket, "" when not known. Returns text. */
char *endpoint_format(const struct endpoint *endpoint, char text[static ENDPOINT_TEXT_MAX]);

/* Reads what endpoint_format() writes, and an address without a port, whose port is 0; false if it
 * is neither. "local" is neither. */
bool endpoint_parse(const char *text, struct endpoint *ret_endpoint);

/* The address alone, as PostgreSQL writes client_addr; "" without one. Returns text. */
char *endpoint_address(const struct endpoint *endpoint, char text[static ENDPOINT_TEXT_MAX]);

#endif
