/* Which TCP connections carry the same bytes: what one receives the other sends, and the other way
 * round. A process that has two such connections forwards for others. */
#ifndef COLLECT_RELAYS_H
#define COLLECT_RELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct relays;

/* Asks the kernel how many bytes each TCP connection has carried; of one that does not tell (before
 * Linux 4.19) none is known. In the arena. Blocks: for a worker thread. */
struct relays *relays_new(struct arena *arena) __attribute__((returns_nonnull));

/* Whether one of these sockets (inodes) is a connection to the port, and another one carries what
 * it carries. */
bool relays_forwards(
	const struct relays *relays, const uint32_t *inodes, size_t n_inodes, uint16_t port);

#endif
