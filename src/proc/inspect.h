/* What certain processes are, beside the sockets they hold: what an emergency has to know before
 * it stops one. Read once, on demand, never in a refresh. */
#ifndef PROC_INSPECT_H
#define PROC_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct process_facts;

struct inspect_who {
	int32_t pid;
	uint64_t start_ticks;
	uint32_t uid; /* the effective one */
};

struct inspect_request {
	const char *proc_root;
	int32_t self; /* dbtop's pid: it and its ancestors are ours */
	const struct inspect_who *who;
	size_t n_who;
	/* Those that hold the server's ends of connections: the server's backends, as far as they
	 * are ours to see. */
	const struct inspect_who *servers;
	size_t n_servers;
	/* Who listens on one of these TCP ports, or on a Unix socket named .s.PGSQL.PORT, serves
	 * PostgreSQL's clients. The first one is the server's. */
	const uint16_t *ports;
	size_t n_ports;
	/* Whether a process with these sockets (inodes) forwards for others: see collect/relays.
	 * NULL: none is known to. */
	bool (*forwards)(void *data, const uint32_t *inodes, size_t n_inodes);
	void *data;
};

/* The facts of those that are still the process they were, in the arena; of those that may not be
 * read, with the executable NULL. Blocks: for a worker thread. Returns how many there are. */
size_t inspect_processes(const struct inspect_request *request, struct arena *arena,
	struct process_facts **ret_facts);

#endif
