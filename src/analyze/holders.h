/* The processes that hold the server's slots, by their sockets alone. */
#ifndef ANALYZE_HOLDERS_H
#define ANALYZE_HOLDERS_H

struct assessment;
struct client_processes;
struct networks;

/* Counts the connections of each process in the peers, which must be there: for a server that does
 * not answer. */
void holders_list(struct assessment *assessment, const struct networks *networks,
	struct client_processes *processes);

#endif
