/* The network namespaces of this machine as one: which of them has an address, and which socket
 * there is a connection's end. Pure.
 *
 * An address may be in use in several namespaces (127.0.0.1 is in each). It then belongs to the
 * server's namespace, if that has it: what is sent to an own address does not leave the namespace.
 * Else, if the server sees the address of our own connection as we do, that address is ours: the
 * server's answers reach us. Else it is ambiguous. */
#ifndef ANALYZE_NETWORKS_H
#define ANALYZE_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/assessment.h"

/* Indexes of namespaces; ours is the first. */
#define NETWORK_OWN       ((size_t)0)
#define NETWORK_NONE      SIZE_MAX
#define NETWORK_AMBIGUOUS (SIZE_MAX - 1)

struct networks;

/* Indexes the sockets of the block; the activity may be NULL. Allocated in the arena. */
struct networks *networks_new(const struct peers *peers, const struct activity *activity,
	struct arena *arena) __attribute__((returns_nonnull));

/* Places the server in a namespace, whose inode is returned by networks_id(); NETWORK_NONE: not
 * known. `unchanged`: the server sees our own address as we do. */
void networks_place_server(struct networks *networks, size_t server, bool unchanged);

/* Looks for the server's end of our own connection over TCP in all namespaces: a socket whose
 * remote end is `own->client`, held by a process that is the backend. Returns its namespace, and
 * its owner as an index into the block's processes. NETWORK_NONE: in none, or in several. */
size_t networks_find_server(
	const struct networks *networks, const struct backend *own, uint32_t *ret_process);

/* Whether a process of the block is this backend, by its pid in its own namespace and its start. */
bool networks_is_backend(const struct process *process, const struct backend *backend);

/* The namespace with this inode; NETWORK_NONE. */
size_t networks_find(const struct networks *networks, uint64_t id);

/* The inode; 0 for our own if that is not known. */
uint64_t networks_id(const struct networks *networks, size_t network);

/* Whether the scan read its TCP sockets. */
bool networks_are_sockets_known(const struct networks *networks, size_t network);

/* The namespace to which a client's address belongs. */
size_t networks_of_address(const struct networks *networks, const struct endpoint *address);

enum network_end {
	NETWORK_END_MISSING,
	NETWORK_END_FOUND,
	NETWORK_END_UNCERTAIN, /* another session has the same client address and port, and it is
				  not known which of the two has the socket */
};

/* Looks in the namespace for the socket that is the client's end of the backend's connection and
 * that a process has open. */
enum network_end networks_client_end(const struct networks *networks, size_t network,
	const struct backend *backend, const struct tcp_socket **ret_socket);

/* The client's end of a connection as the client has it. */
struct networks_end {
	struct endpoint local, remote;
	uint64_t network; /* the namespace that translates; 0: ours */
};

/* Looks the backend's connection up among those that the kernel translates; false if it is not
 * there, or not certain. */
bool networks_translate(const struct networks *networks, const struct backend *backend,
	struct networks_end *ret_end);

/* The namespace of a translated end. */
size_t networks_of_end(const struct networks *networks, const struct networks_end *end);

/* The socket with these two ends in the namespace that a process has open; NULL. */
const struct tcp_socket *networks_socket(
	const struct networks *networks, size_t network, const struct networks_end *end);

/* Whether the server's end shows that the client closed: it is missing in the server's namespace,
 * or not established. The server's namespace and its sockets must be known. */
bool networks_is_server_end_closed(const struct networks *networks, const struct backend *backend);

/* Whether the remote end of the socket, which is in the namespace, is the server. */
bool networks_is_to_server(
	const struct networks *networks, size_t network, const struct tcp_socket *socket);

#endif
