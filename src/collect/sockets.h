/* Reads the kernel's socket tables with sock_diag(7): the connections to servers on one port.
 *
 * The tables are those of our own network namespace. A dump is no snapshot: the kernel walks its
 * table bucket by bucket. If a socket leaves the bucket at which one message of the answer ends,
 * another socket may be left out. A row that is there is right; a socket that is missing has
 * certainly gone only if the next dump lacks it, too. */
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

/* Lists every TCP socket (IPv4 and IPv6) that has the target's port at either end and does not
 * listen. Sockets with the target's address come first. Sockets with other addresses are kept: a
 * server may have several (public and private, IPv4 and IPv6), and our own connection knows only
 * one.
 *
 * Returns 0 or a negative errno: -EINVAL without a port, else as netlink_dump(). */
int sockets_dump_tcp(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct tcp_socket **ret_rows, size_t *ret_count)
	__attribute__((warn_unused_result));

/* The same for several ports: each socket is listed once, in the order of the ports. */
int sockets_dump_tcp_ports(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, const uint16_t *ports, size_t n_ports,
	struct tcp_socket **ret_rows, size_t *ret_count) __attribute__((warn_unused_result));

/* A TCP socket that listens. */
struct listening_socket {
	struct endpoint local;
	uint32_t inode, uid;
};

/* Lists the sockets that listen on this port (IPv4 and IPv6). Walks only the short table of
 * listeners. Returns 0 or a negative errno: -EINVAL without a port, else as netlink_dump(). */
int sockets_dump_listeners(struct netlink *netlink, struct arena *arena, uint16_t port,
	struct listening_socket **ret_rows, size_t *ret_count) __attribute__((warn_unused_result));

/* Lists the servers' ends of connections over Unix sockets that are named …/.s.PGSQL.PORT, except
 * connections that the server has not accepted yet.
 *
 * Returns 0 or a negative errno: -EINVAL without a port, else as netlink_dump(). */
int sockets_dump_unix(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct unix_socket **ret_rows, size_t *ret_count)
	__attribute__((warn_unused_result));

/* The same for several ports. */
int sockets_dump_unix_ports(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, const uint16_t *ports, size_t n_ports,
	struct unix_socket **ret_rows, size_t *ret_count) __attribute__((warn_unused_result));

/* Lists the sockets that listen on exactly the file that we connect to: target->socket_inode.
 * Returns 0 or a negative errno, as sockets_dump_unix(). */
int sockets_dump_unix_listeners(struct netlink *netlink, struct arena *arena,
	const struct peers_target *target, struct listening_socket **ret_rows, size_t *ret_count)
	__attribute__((warn_unused_result));

#endif
