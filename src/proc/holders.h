/* Who holds the sockets: what the last walk over /proc/PID/fd found, kept as long as it answers.
 *
 * The walk is the dearest thing there is (a system call for each descriptor of the machine), so it
 * is done again only when a socket is asked for that it did not look for, or a process that it
 * found is gone. A socket that nobody visible holds is remembered as that. */
#ifndef PROC_HOLDERS_H
#define PROC_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct holders;
struct peers;
struct procfs;

/* A socket is handed on within a moment of its birth (the postmaster accepts, then forks): what is
 * found younger than this, in microseconds, is looked for once more. */
#define HOLDERS_SETTLE INT64_C(500000)

/* How often a process's CPU time and memory are read, or whether it is there, in microseconds. */
#define HOLDERS_SAMPLE INT64_C(2000000)

/* A socket whose holders are asked for. */
struct holders_wanted {
	uint32_t inode;
	bool client; /* a client's end: its holders' CPU time and memory are followed */
};

/* Never NULL. Not for two threads at a time. */
struct holders *holders_new(const char *proc_root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void holders_free(struct holders *holders);

/* Fills in what the peers block says of processes: processes, owners, scanned_at, n_refused,
 * other_namespaces, backend_started_at, backend_in_network (of its target's backend). `fresh` walks
 * whatever is known. `now` is the monotonic clock. */
void holders_look(struct holders *holders, const struct holders_wanted *wanted, size_t n_wanted,
	bool fresh, int64_t now, struct peers *peers);

/* The descriptions of processes, for procfs_reads() and procfs_skip(). */
struct procfs *holders_procfs(const struct holders *holders);

/* How many walks there were. */
unsigned holders_walks(const struct holders *holders);

#endif
