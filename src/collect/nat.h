/* The connections whose addresses this machine translates (published ports of containers, DNAT,
 * masquerade), from the kernel's connection tracking. Needs CAP_NET_ADMIN. */
#ifndef COLLECT_NAT_H
#define COLLECT_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peers;
struct peers_nat;

/* Adds to the block the translated TCP connections of this thread's network namespace to one of the
 * ports, as the client or as the server has it. Walks the kernel's table of all namespaces, but
 * only if connections of this one are tracked. Sets their network to `network`. Returns 0; -EPERM
 * without the right; or another negative errno, as netlink_dump(). */
int nat_dump(struct peers *peers, const uint16_t *ports, size_t n_ports, uint64_t network)
	__attribute__((warn_unused_result));

/* Reads one row of the kernel's answer; false if it is no translated TCP connection. For tests. */
bool nat_read(const void *payload, size_t size, struct peers_nat *ret);

#endif
