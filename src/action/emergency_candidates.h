/* The processes at the other ends of this server's connections: by their sockets, and with a
 * connection of ours by what the server reports of each session's client. Pure. */
#ifndef ACTION_EMERGENCY_CANDIDATES_H
#define ACTION_EMERGENCY_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assessment;
struct connection;
struct peers;

/* Whether the server reports its sessions now. */
bool emergency_candidates_connected(const struct assessment *assessment);

/* Whether a connection came to its process by more than a name. */
bool emergency_candidates_proven(const struct connection *connection);

/* How many connections each of the peers' processes has: to this very server, and to its port by
 * another way than ours. Both have zeroed room for all of them. */
void emergency_candidates_count(
	const struct assessment *assessment, uint32_t *ret_counts, uint32_t *ret_elsewhere);

/* Indices of the living among the peers' processes that have any; those of the other way only while
 * the server does not report. Room for all of them is needed. Returns how many. */
size_t emergency_candidates_list(const struct assessment *assessment, uint32_t *ret_processes);

/* Marks those of the peers' processes that hold the server's ends; *ret_servers has room for all of
 * them, set to false. */
void emergency_candidates_mark_servers(const struct peers *peers, bool *ret_servers);

#endif
