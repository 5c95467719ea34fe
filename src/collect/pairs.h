/* Pairs the connections of a forwarder: which accepted one it opened a connection to the server
 * for, and whose socket is at the far end of that. A forwarder is a process of a known program
 * (model/programs) that holds the client's end of a connection to the server.
 *
 * A pair is proven only if the process has no other choice: it serves one connection alone and does
 * not listen (a process for each connection: socat's fork, stunnel under inetd, sshd), or it has
 * exactly one accepted and one opened connection and the kernel has counted the same bytes on both.
 * Both ends, and the far end, must be in one dump of the kernel. */
#ifndef COLLECT_PAIRS_H
#define COLLECT_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owners_wanted;
struct pairs;
struct peers;

struct pairs *pairs_new(const char *proc_root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void pairs_free(struct pairs *pairs);

/* Whether a forwarder is among the peers' processes. */
bool pairs_has_forwarder(const struct peers *peers);

/* Reads the kernel's connections of all namespaces that it may enter. Blocks: use a worker thread.
 */
void pairs_dump(struct pairs *pairs);

/* Sets the peers' pairs and forwarders by that dump. The clients among `wanted` are the client's
 * ends of connections to the server, or far ends that were found before: behind a forwarder may be
 * another one. */
void pairs_find(struct pairs *pairs, const struct owners_wanted *wanted, size_t n_wanted,
	struct peers *peers);

/* Forgets the dump. */
void pairs_drop(struct pairs *pairs);

#endif
