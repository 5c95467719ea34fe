/* Finds the TCP addresses of a server that was reached over its Unix socket, without its answer: a
 * full server lets nobody in, and its application may have come over TCP. */
#ifndef COLLECT_DOORS_H
#define COLLECT_DOORS_H

#include <stddef.h>

#include "proc/owners.h"

struct listening_socket;
struct netlink;
struct peers;

struct doors {
	struct listening_socket *unix_sockets, *tcp;
	size_t n_unix, n_tcp;
};

/* Lists the sockets that listen on the target's file and on its port. Lists nothing with a
 * connection, or if the target is no Unix socket. In the block's arena. */
void doors_list(struct doors *ret_doors, struct netlink *netlink, struct peers *peers);

/* Appends them to the sockets whose owners are requested; there is room for n_unix + n_tcp. */
size_t doors_want(const struct doors *doors, struct owners_wanted *wanted);

/* Sets the block's doors, once its owners are known. */
void doors_find(const struct doors *doors, struct peers *peers);

#endif
