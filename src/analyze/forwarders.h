/* Looks through forwarders (collect/pairs.h) to the processes behind them. */
#ifndef ANALYZE_FORWARDERS_H
#define ANALYZE_FORWARDERS_H

struct assessment;
struct client_processes;
struct connection;

/* If a forwarder holds the client's end: sets the process behind it where the pair is proven, else
 * the processes that it may be. An end that is not held keeps the process that it had in the
 * previous assessment, where it is `before`; both may be NULL. Call it when the owner is known. */
void forwarders_look_through(struct assessment *assessment, const struct assessment *previous,
	const struct connection *before, struct client_processes *processes,
	struct connection *connection);

#endif
