/* Who listens on a local port, and who is connected to it: one look at the kernel, for a worker
 * thread. */
#ifndef COLLECT_FORWARDER_H
#define COLLECT_FORWARDER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/proxy.h"

struct forwarder;
struct peers_target;

/* Never NULL; proc_root is "/proc" or another tree. Not for two threads at a time. */
struct forwarder *forwarder_new(const char *proc_root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void forwarder_free(struct forwarder *forwarder);

/* Looks for a program of that name at the port, or, when `unix_socket` is set, at the Unix socket
 * that `where` tells of (its port, socket_device and socket_inode): what is bound to that very
 * file. Fills in the block's listener, process, executable, uid, our_uid and peers, status (absent,
 * foreign or listening) and detail; wanted and port are set there already. `now` is the monotonic
 * clock. Returns 0, or a negative errno when the kernel would not tell: then the block says
 * nothing. */
int forwarder_look(struct forwarder *forwarder, int64_t now, const struct peers_target *where,
	bool unix_socket, struct proxy *proxy) __attribute__((warn_unused_result));

/* Whether an executable's path, or the name the kernel has of a process (cut to 15 bytes), is the
 * program that is wanted. Either may be NULL. */
bool forwarder_is_program(const char *wanted, const char *executable, const char *comm);

#endif
