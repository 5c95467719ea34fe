/* The kernel's socket tables: the connections to servers on one port, from sock_diag(7).
 *
 * They are those of our own network namespace. A dump is no snapshot: the kernel walks its table
 * bucket by bucket, and when something leaves the bucket at which one message of the answer ends,
 * a neighbour may be left out. What a row says is certain; that one is missing is so only when the
 * next dump misses it, too. */
#ifndef COLLECT_SOCKETS_H
#define COLLECT_SOCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct arena;
struct netlink;
struct peers_target;
struct tcp_socket;
struct unix_socket;

/* A NETLINK_SOCK_DIAG socket for the dumps below; needs no privilege. */
struct netlink *sockets_netlink(void) __attribute__((returns_nonnull));

/* Every TCP socket, of IPv4 and IPv6, that has the target's port at either end and does not listen;
 * those with the target's address there come first. Rows at other addresses are kept: a server may
 * have several (public and private, IPv4 and IPv6), of which our own connection knows one.
 *
 * Returns 0 or a negative errno: -EINVAL without a port, else as netlink_dump(). */
int sockets_dump_tcp(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct tcp_socket **ret_rows, size_t *ret_count)
	__attribute__((warn_unused_result));

/* A TCP socket that listens. */
struct listening_socket {
	struct endpoint local;
	uint32_t inode, uid;
};

/* Who listens on this port, of IPv4 and IPv6. Walks the short table of listeners alone. Returns 0
 * or a negative errno: -EINVAL without a port, else as netlink_dump(). */
int sockets_dump_listeners(struct netlink *netlink, struct arena *arena, uint16_t port,
	struct listening_socket **ret_rows, size_t *ret_count) __attribute__((warn_unused_result));

/* The servers' ends of connections over Unix sockets that are named …/.s.PGSQL.PORT. Those that
 * the server did not accept yet are left out.
 *
 * Returns 0 or a negative errno: -EINVAL without a port, else as netlink_dump(). */
int sockets_dump_unix(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct unix_socket **ret_rows, size_t *ret_count)
	__attribute__((warn_unused_result));

/* Who listens on the very file that we connect to: on target->socket_inode. Returns 0 or a negative
 * errno, as sockets_dump_unix(). */
int sockets_dump_unix_listeners(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct listening_socket **ret_rows, size_t *ret_count)
	__attribute__((warn_unused_result));

#endif
