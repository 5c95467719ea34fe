/* Finds the processes that hold sockets, with a walk over every /proc/PID/fd. */
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
	struct procfs_stat stat; /* read together with its descriptors */
};

/* A process that holds a socket. */
struct descriptors_owner {
	uint32_t inode;
	uint32_t process; /* index into processes */
};

struct descriptors_scan {
	struct descriptors_owner *owners; /* sorted by inode, start, pid; without duplicates */
	size_t n_owners;
	struct descriptors_process *processes; /* those that hold a wanted socket */
	size_t n_processes;
	int n_refused; /* processes whose descriptors we may not read, without kernel threads */
};

/* Walks the tree at root (a descriptor of /proc) for the socket inodes that are keys in wanted. The
 * walk takes time; it is no error that processes start, end and pass sockets on meanwhile. Returns
 * 0 or, if the root cannot be read, a negative errno. */
int descriptors_scan(int root, const struct map *wanted, struct arena *arena,
	struct descriptors_scan *ret) __attribute__((warn_unused_result));

#endif
