/* What /proc tells of one process. See proc(5).
 *
 * The root is a parameter, so that tests replay recorded trees. Every call is made for a process
 * that may exit at any moment: that is -ESRCH, an ordinary result.
 *
 * -ESRCH is certain. A process that is only hidden (hidepid, ProtectProc) or that the tree cannot
 * tell of, because it is of another pid namespace, is -EACCES. */
#ifndef PROC_PROCFS_H
#define PROC_PROCFS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct procfs;
struct process;

#define PROCFS_COMM_MAX 64

/* From /proc/PID/stat. */
struct procfs_stat {
	char comm[PROCFS_COMM_MAX]; /* as the kernel has it: cut, and not clean */
	char state;
	int32_t parent;
	bool kernel_thread;
	bool exiting;         /* on its way out, or out: the kernel takes what it holds */
	uint64_t start_ticks; /* after boot, in clock ticks */
	uint64_t cpu_ticks;   /* user and system time */
	int64_t rss_bytes;    /* −1 when unknown */
};

/* Never NULL; of a root that is not there, every call fails. Not for two threads at a time. */
struct procfs *procfs_new(const char *root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void procfs_free(struct procfs *procfs);

/* The root's descriptor, borrowed; negative when it could not be opened. */
int procfs_root(const struct procfs *procfs);

/* A folder to be read; NULL, and errno, when it cannot be opened. */
DIR *procfs_open_folder(int parent, const char *path);

/* The pid that a folder's name is; 0 for any other name. */
int32_t procfs_pid(const char *name);

/* Whether the pid is taken, by whichever process, as far as is known: the cheapest question there
 * is. */
bool procfs_exists(const struct procfs *procfs, int32_t pid);

/* Returns 0, -ESRCH when there is no such process, or a negative errno. */
int procfs_stat(const struct procfs *procfs, int32_t pid, struct procfs_stat *ret)
	__attribute__((warn_unused_result));

/* As procfs_stat(), from any folder: `path` is relative to it, as openat() takes it. */
int procfs_stat_at(int folder, const char *path, struct procfs_stat *ret)
	__attribute__((warn_unused_result));

/* What a process does with signals: bit n − 1 is signal n. See signal(7). */
struct procfs_signals {
	uint64_t pending, blocked, ignored, caught;
};

/* Returns 0, -ESRCH when there is no such process, or a negative errno. */
int procfs_signals(const struct procfs *procfs, int32_t pid, struct procfs_signals *ret);

/* A zombie has ended, whatever its pid says. */
bool procfs_has_ended(const struct procfs_stat *stat);

/* When a process with these start_ticks began, as an instant; INSTANT_UNKNOWN when the time of boot
 * could not be read. */
int64_t procfs_started_at(const struct procfs *procfs, uint64_t start_ticks);

/* Fills in everything about the process except cpu_percent, which is NAN; its strings go to the
 * arena. *ret_stat is what the facts were read with. May block in the system's user database.
 * Returns 0, -ESRCH when the process is gone, or a negative errno. */
int procfs_describe(struct procfs *procfs, struct arena *arena, int32_t pid, struct process *ret,
	struct procfs_stat *ret_stat) __attribute__((warn_unused_result));

/* Reading the command line waits for the process's memory lock, which a process stuck in the kernel
 * may hold for ever. The pid whose command line is being read, 0 for none: the one question that
 * another thread than the reader may ask. */
int32_t procfs_reads(const struct procfs *procfs);

/* From now on this process is described without its command line. */
void procfs_skip(struct procfs *procfs, int32_t pid, uint64_t start_ticks);

/* … and so is every other. */
void procfs_skip_all(struct procfs *procfs);

/* Clock ticks a second, of start_ticks and cpu_ticks. */
int64_t procfs_ticks_per_second(const struct procfs *procfs);

/* Whether the process is in our network namespace; false when that cannot be told. */
bool procfs_shares_network(const struct procfs *procfs, int32_t pid);

/* Whether this machine forwards packets between networks (net.ipv4.ip_forward,
 * net.ipv6.conf.all.forwarding). */
bool procfs_forwards_packets(const struct procfs *procfs);

#endif
