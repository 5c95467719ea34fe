/* Which processes hold which sockets: a walk over every /proc/PID/fd. */
#ifndef PROC_DESCRIPTORS_H
#define PROC_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/procfs.h"

struct arena;
struct map;

struct descriptors_process {
	int32_t pid;
	struct procfs_stat stat; /* as it was while its descriptors were read */
};

/* A process that holds a socket. */
struct descriptors_holder {
	uint32_t inode;
	uint32_t process; /* index into processes */
};

struct descriptors_scan {
	struct descriptors_holder *holders; /* sorted by inode, start, pid; each once */
	size_t n_holders;
	struct descriptors_process *processes; /* those that hold a wanted socket */
	size_t n_processes;
	int n_refused;                 /* processes we may not look into; no kernel threads */
	bool other_network_namespaces; /* a process has another one than ours */
};

/* Walks the tree at root (a descriptor of /proc) for the socket inodes that are keys in wanted. The
 * walk takes time, and processes come, go and hand sockets on meanwhile: that is no failure.
 * Returns 0 or, when the root cannot be read, a negative errno. */
int descriptors_scan(int root, const struct map *wanted, struct arena *arena,
	struct descriptors_scan *ret) __attribute__((warn_unused_result));

#endif
