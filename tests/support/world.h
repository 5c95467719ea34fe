/* A server, its sessions, and the sockets and processes of this machine, as analyze/ gets them:
 * what the tests of analyze/ are made of. Everything is at or near T0. */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "model/assessment.h"

#define T0      (INT64_C(1800000000) * USEC_PER_SEC)
#define START   (T0 - 100 * USEC_PER_SEC) /* of the server and its backends */
#define OWN_PID 900                       /* our backend */
#define PORT    5432
#define MOST    16 /* rows of each kind */

struct assess_host;

struct world {
	struct activity *activity;
	struct peers *peers;
	const struct assess_host *hosts; /* other machines' dbtops */
	size_t n_hosts;
	int64_t clock_step; /* by so much the wall clock was set forward */
};

/* Of IPv4 or IPv6. */
struct endpoint at(const char *address, uint16_t port);

/* A server with 25 slots, 3 of them reserved, and no rows; its sockets were dumped at `dumped`. Our
 * own connection, which the target names, has to be added. */
struct world world_make(int64_t asked, int64_t dumped);

/* An active session of user app. */
struct backend *world_add_backend(struct world *world, int32_t pid, struct endpoint client);

struct tcp_socket *world_add_tcp(
	struct world *world, struct endpoint local, struct endpoint remote, uint32_t inode);
struct unix_socket *world_add_unix(struct world *world, uint32_t inode, uint32_t peer);

/* A process that holds the socket. Inodes are added in rising order. */
struct process *world_add_owner(struct world *world, uint32_t inode, int32_t pid, const char *name);

/* Assesses the world at `now`, as it would be without the step, and frees it. Limits are 300 s. */
struct assessment *world_assess(
	struct world *world, const struct assessment *previous, int64_t now, bool await_logins);

#endif
