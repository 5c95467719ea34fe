/* A world (world.h) of several network namespaces: ours, the server's 10.0.0.2, and that of an
 * application, 10.0.0.3. Our own address is 10.0.0.1, and our own connection leads to the server.
 */
#ifndef SUPPORT_NETWORKS_WORLD_H
#define SUPPORT_NETWORKS_WORLD_H

#include "world.h"

/* The namespaces' inodes. */
enum { OURS = 100, SERVERS = 200, APPS = 300, TWIN_A = 400, TWIN_B = 500, NEW = 600 };
#define SERVERS_PIDS 9

struct peers_network *network(struct world *world, uint64_t id);
struct peers_network *add_network(struct world *world, uint64_t id, const char *address);

/* In our own namespace for OURS. */
struct tcp_socket *add_tcp(struct world *world, uint64_t id, struct endpoint local,
	struct endpoint remote, uint32_t inode);

/* Inodes are added in rising order. */
void add_owner(struct world *world, uint32_t inode, int32_t pid, int32_t inner, uint64_t pids,
	const char *name);

/* Rounds of the same world; `build` adds to it, and gets the number of the round. */
struct assessment *observe(
	int rounds, bool over_unix, void (*build)(struct world *world, int round));

/* Both ends of a client's connection: the client's with its process, the server's. */
void connect_client(struct world *world, uint64_t id, const char *address, uint16_t port,
	uint32_t inode, const char *name);
struct tcp_socket *add_server_end(
	struct world *world, const char *address, uint16_t port, uint32_t inode);

#endif
