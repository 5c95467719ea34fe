/* Which process of this machine is at the other end of each connection, and what became of that
 * end. Pure.
 *
 * "Gone" is the verdict that ends sessions, so it takes a proof, one of two:
 *
 *  - The server is on this machine and in our namespaces: our own backend's pid is a process here
 *    that began when the server says, and our own connection has both its ends in the dump (over a
 *    Unix socket: and that process's network namespace is ours). Then a client with one of our
 *    addresses has its end in the dump as well, or has none; and the server's end of that
 *    connection must be closed by the peer or missing, too, in the same dump.
 *  - We saw the client's end here, in an earlier dump, and two dumps in a row lack it: the kernel
 *    hands its table out in parts and can skip a row when others leave meanwhile. Needs no local
 *    server, only that our own connection reaches it unchanged (no address translation).
 *
 * The dump must be newer than the first sight of the backend, and the backend must have been seen
 * again after the dump. Everything else ("another machine", "may not look", "not yet looked") is an
 * answer of its own and proves nothing. */
#ifndef ANALYZE_JOIN_H
#define ANALYZE_JOIN_H

#include "model/assessment.h"

struct client_processes;

/* Fills end, end_inode, matched_by, process, holder, seen_here, first_seen and looked of the
 * assessment's connections, and its processes. activity, peers and now are set, connections hold
 * their backends and nothing else. `previous` is the assessment before, or NULL: what was seen then
 * is evidence now. */
void join_clients(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

#endif
