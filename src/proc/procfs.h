/* Reads what /proc shows of one process. See proc(5).
 *
 * The root is a parameter, so that tests can use recorded trees. A process may exit during any
 * call: -ESRCH is an ordinary result.
 *
 * -ESRCH means that the process has certainly ended. -EACCES is returned for a process that is only
 * hidden (hidepid, ProtectProc), or that cannot be found because the tree is of another pid
 * namespace. */
#ifndef PROC_PROCFS_H
#define PROC_PROCFS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/peers.h"

struct arena;
struct procfs;
struct process;

#define PROCFS_COMM_MAX 64
#define PROCFS_DELETED  " (deleted)"

/* From /proc/PID/stat. */
struct procfs_stat {
	char comm[PROCFS_COMM_MAX]; /* as the kernel has it: cut to 15 bytes, and not clean */
	char state;
	int32_t parent;
	bool kernel_thread;
	bool exiting;         /* exiting or ended: the kernel closes what it holds */
	uint64_t start_ticks; /* after boot, in clock ticks */
	uint64_t cpu_ticks;   /* user and system time */
	int64_t rss_bytes;    /* −1 when unknown */
};

/* Never NULL; if the root does not exist, every call fails. Use it on one thread at a time. */
struct procfs *procfs_new(const char *root) __attribute__((returns_nonnull));

/* NULL is allowed. */
void procfs_free(struct procfs *procfs);

/* The root's descriptor, borrowed; negative if it could not be opened. */
int procfs_root(const struct procfs *procfs);

/* True if the tree is of another pid namespace: its pids are other processes here. */
bool procfs_is_foreign(int root);

/* Opens a folder for reading; NULL, with errno set, if it cannot be opened. */
DIR *procfs_open_folder(int parent, const char *path);

/* Reads on in the root's folder to the next process; returns its pid, or 0 at the end. */
int32_t procfs_next_pid(DIR *root);

/* Reads on in a process's folder "fd" to the next socket; returns its inode, or 0 at the end. */
uint32_t procfs_next_socket(DIR *descriptors);

/* Returns the path of the file that a process runs, clean and in the arena; `path` is "exe" or
 * "PID/exe", relative to the folder. If the file was deleted or replaced, the path ends in
 * PROCFS_DELETED. NULL if it cannot be read. */
const char *procfs_executable(int folder, const char *path, struct arena *arena);

/* True if any process has the pid, as far as is known. This is the cheapest check. */
bool procfs_exists(const struct procfs *procfs, int32_t pid);

/* Returns 0, -ESRCH if there is no such process, or a negative errno. */
int procfs_stat(const struct procfs *procfs, int32_t pid, struct procfs_stat *ret)
	__attribute__((warn_unused_result));

/* As procfs_stat(), but `path` is relative to the folder, as for openat(). */
int procfs_stat_at(int folder, const char *path, struct procfs_stat *ret)
	__attribute__((warn_unused_result));

/* What a process does with signals: bit n − 1 is signal n. See signal(7). */
struct procfs_signals {
	uint64_t pending, blocked, ignored, caught;
};

/* Returns 0, -ESRCH if there is no such process, or a negative errno. */
int procfs_signals(const struct procfs *procfs, int32_t pid, struct procfs_signals *ret);

/* True if the process has ended; a zombie has ended, although its pid still exists. */
bool procfs_has_ended(const struct procfs_stat *stat);

/* The instant at which a process with these start_ticks began; INSTANT_UNKNOWN if the time of boot
 * could not be read. */
int64_t procfs_started_at(const struct procfs *procfs, uint64_t start_ticks);

/* The kernel's function in which the process waits, from /proc/PID/wchan; "" when it runs, or when
 * that we may not see. */
void procfs_wait_channel(
	const struct procfs *procfs, int32_t pid, char ret[static PROCESS_WAIT_MAX]);

/* Fills in all fields of the process except cpu_percent, which is NAN; its strings are in the
 * arena. *ret_stat is the stat that was read with them. May block in the system's user database.
 * Returns 0, -ESRCH if the process has ended, or a negative errno. */
int procfs_describe(struct procfs *procfs, struct arena *arena, int32_t pid, struct process *ret,
	struct procfs_stat *ret_stat) __attribute__((warn_unused_result));

/* Returns the pid whose command line is being read, or 0. Reading a command line waits for the
 * process's memory lock, which a process that hangs in the kernel may hold for ever. This is the
 * only function that another thread may call during a read. */
int32_t procfs_reads(const struct procfs *procfs);

/* From now on this process is described without its command line. */
void procfs_skip(struct procfs *procfs, int32_t pid, uint64_t start_ticks);

/* From now on every process is described without its command line. */
void procfs_skip_all(struct procfs *procfs);

/* Clock ticks per second, for start_ticks and cpu_ticks. */
int64_t procfs_ticks_per_second(const struct procfs *procfs);

/* Returns the inode in a link of /proc/PID/ns, "net:[4026531840]"; 0, with errno set, if the link
 * cannot be read: that needs the rights of ptrace(2) over the process. `path` is relative to the
 * folder. */
uint64_t procfs_namespace(int folder, const char *path);

/* True if the process is in our network namespace; false if that is not known. */
bool procfs_shares_network(const struct procfs *procfs, int32_t pid);

#endif
