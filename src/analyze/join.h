/* Finds the process of this machine at the other end of each connection, and what happened to that
 * end. Pure.
 *
 * The verdict "gone" ends sessions, so it needs one of two proofs:
 *
 *  - The server is on this machine and in our namespaces: our own backend's pid is a process here
 *    that began when the server says, and both ends of our own connection are in the dump (over a
 *    Unix socket: that process's network namespace is ours). Then a client with one of our
 *    addresses must have its end in the dump, or it has none. The server's end of that connection
 *    must be closed by the peer or missing in the same dump, too.
 *  - An earlier dump showed the client's end here, and two consecutive dumps lack it: the kernel
 *    returns its table in parts and can skip a row when others are removed meanwhile. This needs no
 *    local server, only that our own connection reaches the server without address translation.
 *
 * The dump must be newer than the first sight of the backend, and the backend must have been seen
 * again after the dump. All other results ("another machine", "not visible", "not scanned yet")
 * have a value of their own and prove nothing. */
#ifndef ANALYZE_JOIN_H
#define ANALYZE_JOIN_H

#include "model/assessment.h"

struct client_processes;

/* Sets end, end_inode, matched_by, process, owner, seen_here, first_seen and scanned of the
 * assessment's connections, and its processes. activity, peers and now must be set; the connections
 * have only their backends. `previous` is the previous assessment, or NULL: what it saw is evidence
 * now. */
void join_clients(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

#endif
