/* The addresses of this machine's network interfaces. */
#ifndef COLLECT_ADDRESSES_H
#define COLLECT_ADDRESSES_H

#include <stddef.h>

struct arena;
struct endpoint;

/* IPv4 and IPv6, port 0, from getifaddrs(3), of our own network namespace. Returns 0 or a negative
 * errno. */
int addresses_local(struct arena *arena, struct endpoint **ret_addresses, size_t *ret_count);

#endif
