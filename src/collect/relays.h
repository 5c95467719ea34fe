/* Finds TCP connections that carry the same bytes: what one receives, the other sends, in both
 * directions. A process with two such connections forwards for others. */
#ifndef COLLECT_RELAYS_H
#define COLLECT_RELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct arena;
struct relays;

/* Asks the kernel how many bytes each TCP connection has carried, in all network namespaces that it
 * may enter. A kernel before Linux 4.19 does
 * not report that: then no connection is known. Allocated in the arena. Blocks: use a worker
 * thread. */
struct relays *relays_new(struct arena *arena, const char *proc_root)
	__attribute__((returns_nonnull));

/* One end of a connection, or a socket that listens. */
struct relay_end {
	struct endpoint local, remote;
	uint64_t sent, received; /* bytes */
	uint64_t network;        /* the inode of its network namespace */
	uint32_t inode;
	bool listens;
};

/* The socket with this inode, or NULL. */
const struct relay_end *relays_find(const struct relays *relays, uint32_t inode);

/* The other end of the connection: in the same namespace, or the only one in all of them. NULL if
 * it is not seen. */
const struct relay_end *relays_far_end(const struct relays *relays, const struct relay_end *end);

/* Whether a socket of the same namespace listens at the end's port, so that the end may have been
 * accepted there. */
bool relays_is_accepted(const struct relays *relays, const struct relay_end *end);

/* Whether what one end received the other one sent, in both directions, and more than a login. */
bool relays_carry_the_same(const struct relay_end *a, const struct relay_end *b);

/* True if one of these sockets (inodes) is a connection to one of the ports, and another one, which
 * is none, carries the same bytes. */
bool relays_forwards(const struct relays *relays, const uint32_t *inodes, size_t n_inodes,
	const uint16_t *ports, size_t n_ports);

#endif
