/* Finds the process that listens on a local port, and its clients, with one scan on a worker
 * thread. */
#ifndef COLLECT_FORWARDER_H
#define COLLECT_FORWARDER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/proxy.h"

struct forwarder;
struct peers_target;

/* Never NULL; proc_root is "/proc" or another tree. Use it on one thread at a time. */
struct forwarder *forwarder_new(const char *proc_root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void forwarder_free(struct forwarder *forwarder);

/* Scans for a program of that name at the port or, if `unix_socket` is set, at the Unix socket in
 * `where` (its port, socket_device and socket_inode): the listener bound to exactly that file.
 * Fills in the block's listener, process, executable, uid, our_uid and peers, status (absent,
 * foreign or listening) and detail; the caller has set wanted and port. `now` is the monotonic
 * clock. Returns 0, or a negative errno if the kernel gave no answer: then the block's fields mean
 * nothing. */
int forwarder_scan(struct forwarder *forwarder, int64_t now, const struct peers_target *where,
	bool unix_socket, struct proxy *proxy) __attribute__((warn_unused_result));

/* True if an executable's path, or the kernel's name of a process (cut to 15 bytes), is that of the
 * wanted program. Either may be NULL. */
bool forwarder_is_program(const char *wanted, const char *executable, const char *comm);

#endif
