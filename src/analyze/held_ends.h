/* Which process of this machine holds a client end that another machine's dbtop asks about. Pure.
 *
 * An end is looked for in all network namespaces that we see, a loopback address only in that of
 * the server, and through the kernel's translation of addresses. Once an end was found, it stays
 * where it was: another namespace may get the address later. */
#ifndef ANALYZE_HELD_ENDS_H
#define ANALYZE_HELD_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/host_ends.h"
#include "model/peers.h"

/* An end, and what the scans have shown of it so far. Begin with `end` alone. */
struct held_end {
	struct asked_end end;
	enum host_end_state state;
	uint32_t process; /* HOST_END_HELD: its holder, as an index into the last block's processes
			   */
	int shared_by;
	bool was_found;   /* then these say where: */
	uint64_t network; /* the inode of the namespace */
	struct endpoint local, remote;
};

/* The process that holds the server's end of a connection. */
struct held_server {
	const struct process *process; /* NULL: none that is visible, and a server's */
	int32_t pid;                   /* in its own pid namespace */
	uint64_t network, pids;        /* its namespaces; pids 0: ours */
};

/* `own` is the client end of the connection as the server sees it. The block's target has the
 * server's ports. */
struct held_server held_ends_server(const struct peers *peers, const struct endpoint *own);

/* Brings the ends up to date with a new scan. */
void held_ends_update(const struct peers *peers, const struct held_server *server,
	struct held_end *ends, size_t n_ends);

#endif
