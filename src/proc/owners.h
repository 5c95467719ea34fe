/* Finds the owners of sockets. The results of the last walk over /proc/PID/fd are kept as long as
 * they are valid.
 *
 * The walk is the most expensive operation in dbtop (a system call for each descriptor of the
 * machine). It is repeated only if a socket is requested that the last walk did not look for, or if
 * a process that it found has ended. A socket without a visible owner is remembered as such. */
#ifndef PROC_OWNERS_H
#define PROC_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owners;
struct peers;
struct procfs;

/* A socket is passed on shortly after it is created (the postmaster accepts, then forks): a socket
 * that is younger than this (µs) at a walk is looked for once more. */
#define OWNERS_SETTLE INT64_C(500000)

/* The interval (µs) at which a process's CPU time and memory are read. */
#define OWNERS_SAMPLE INT64_C(2000000)

/* A socket whose owners are requested. */
struct owners_wanted {
	uint32_t inode;
	bool client; /* a client end: the CPU time and memory of its owners are sampled */
};

/* Never NULL. Use it on one thread at a time. */
struct owners *owners_new(const char *proc_root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void owners_free(struct owners *owners);

/* Fills in the peers block's facts about processes: processes, owners, scanned_at, n_refused,
 * backend_started_at, backend_in_network (of its target's backend). `fresh` always walks. `now` is
 * the monotonic clock. */
void owners_find(struct owners *owners, const struct owners_wanted *wanted, size_t n_wanted,
	bool fresh, int64_t now, struct peers *peers);

/* The reader of processes, for procfs_reads() and procfs_skip(). */
struct procfs *owners_procfs(const struct owners *owners);

/* The number of walks so far. */
unsigned owners_walks(const struct owners *owners);

#endif
