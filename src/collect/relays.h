/* Finds TCP connections that carry the same bytes: what one receives, the other sends, in both
 * directions. A process with two such connections forwards for others. */
#ifndef COLLECT_RELAYS_H
#define COLLECT_RELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct relays;

/* Asks the kernel how many bytes each TCP connection has carried, in all network namespaces that it
 * may enter. A kernel before Linux 4.19 does
 * not report that: then no connection is known. Allocated in the arena. Blocks: use a worker
 * thread. */
struct relays *relays_new(struct arena *arena, const char *proc_root)
	__attribute__((returns_nonnull));

/* True if one of these sockets (inodes) is a connection to one of the ports, and another one, which
 * is none, carries the same bytes. */
bool relays_forwards(const struct relays *relays, const uint32_t *inodes, size_t n_inodes,
	const uint16_t *ports, size_t n_ports);

#endif
