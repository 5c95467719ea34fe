/* Finds the holders of sockets. The results of the last walk over /proc/PID/fd are kept as long as
 * they are valid.
 *
 * The walk is the most expensive operation in dbtop (a system call for each descriptor of the
 * machine). It is repeated only if a socket is requested that the last walk did not look for, or if
 * a process that it found has ended. A socket without a visible holder is remembered as such. */
#ifndef PROC_HOLDERS_H
#define PROC_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct holders;
struct peers;
struct procfs;

/* A socket is passed on shortly after it is created (the postmaster accepts, then forks): a socket
 * that is younger than this (µs) at a walk is looked for once more. */
#define HOLDERS_SETTLE INT64_C(500000)

/* The interval (µs) at which a process's CPU time and memory are read. */
#define HOLDERS_SAMPLE INT64_C(2000000)

/* A socket whose holders are requested. */
struct holders_wanted {
	uint32_t inode;
	bool client; /* a client end: the CPU time and memory of its holders are sampled */
};

/* Never NULL. Use it on one thread at a time. */
struct holders *holders_new(const char *proc_root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void holders_free(struct holders *holders);

/* Fills in the peers block's facts about processes: processes, owners, scanned_at, n_refused,
 * other_namespaces, backend_started_at, backend_in_network (of its target's backend). `fresh`
 * always walks. `now` is the monotonic clock. */
void holders_look(struct holders *holders, const struct holders_wanted *wanted, size_t n_wanted,
	bool fresh, int64_t now, struct peers *peers);

/* The reader of processes, for procfs_reads() and procfs_skip(). */
struct procfs *holders_procfs(const struct holders *holders);

/* The number of walks so far. */
unsigned holders_walks(const struct holders *holders);

#endif
