/* Finds the process of another machine at the other end of a connection, by what the dbtop there
 * says, and whether that end is gone. Pure.
 *
 * Which host is asked about an end: the only one that speaks for the client's address; about
 * loopback addresses and Unix sockets the only one on which the server's end of our own connection
 * is held by our own backend. An address that this machine has too, or a second host, is ambiguous:
 * no host is asked.
 *
 * The verdict "gone" ends sessions, so it needs this: a run of the agent showed the end as held;
 * two later answers of the same run (and so of the same boot) say that no process there has it
 * open; the questions were sent after the session was first seen, and the server's rows still show
 * the session after the second answer. */
#ifndef ANALYZE_JOIN_HOSTS_H
#define ANALYZE_JOIN_HOSTS_H

#include "model/assessment.h"

struct client_processes;

/* For connections whose end is not on this machine, sets end, matched_by, process, owner, shared_by
 * and what the next assessment needs; and what each host is to be asked. Call it after
 * join_clients(). `previous` is the previous assessment, or NULL. */
void join_hosts(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

#endif
