/* Finds out what certain processes are, besides the sockets they hold: an emergency has to know
 * this before it stops a process. Read once, on demand, never in a refresh. */
#ifndef PROC_INSPECT_H
#define PROC_INSPECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct process_facts;

struct inspect_who {
	int32_t pid;
	uint64_t start_ticks;
	uint32_t uid; /* the effective user */
	bool hangs;   /* its facts are not read: that would not come back */
};

/* How far an inspection is: what another thread may read, and set, meanwhile. */
struct inspect_progress {
	atomic_int pid;        /* the process whose facts are being read; 0: none */
	atomic_uint steps;     /* grows with each process that begins or is done */
	atomic_size_t n_facts; /* complete; they do not change any more */
	atomic_bool stop;      /* set by the other thread: no more processes are read */
};

struct inspect_request {
	const char *proc_root;
	int32_t self; /* dbtop's pid: it and its ancestors are reported as ours */
	const struct inspect_who *who;
	size_t n_who;
	/* The processes that hold the server's ends of connections: the server's backends, as far
	 * as we can see them. */
	const struct inspect_who *servers;
	size_t n_servers;
	/* A process that listens on one of these TCP ports, or on a Unix socket named
	 * .s.PGSQL.PORT, serves PostgreSQL's clients. The first port is the server's. */
	const uint16_t *ports;
	size_t n_ports;
	/* Returns true if a process with these sockets (inodes) forwards for others: see
	 * collect/relays. NULL: not known for any process. */
	bool (*forwards)(void *data, const uint32_t *inodes, size_t n_inodes);
	void *data;
	struct inspect_progress *progress; /* NULL: none */
};

/* Returns the facts, in the arena, of each requested process that is still the same process; if a
 * process may not be read, its executable is NULL. Blocks for as long as a process hangs in the
 * kernel: use a worker thread. Sets *ret_facts before the first facts are complete. Returns the
 * number of processes. */
size_t inspect_processes(const struct inspect_request *request, struct arena *arena,
	struct process_facts **ret_facts);

#endif
