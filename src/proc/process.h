/* Processes, held by a pidfd: what is signalled is the very process that was planned for, also when
 * its pid has gone to another meanwhile. See pidfd_open(2). */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Takes hold of the process with this pid and start time (/proc/PID/stat, field 22); the caller
 * closes *ret_fd. proc_root is "/proc", or in tests another tree.
 *
 * Returns 0; -ESRCH when it has ended, a zombie too; -ESTALE when the pid is another process's by
 * now; or a negative errno: then it is not known who has the pid. */
int process_hold(const char *proc_root, int32_t pid, uint64_t start_ticks, int *ret_fd)
	__attribute__((warn_unused_result));

/* The start time of whoever has this pid. Returns 0, -ESRCH or a negative errno. */
int process_start_ticks(const char *proc_root, int32_t pid, uint64_t *ret_start_ticks)
	__attribute__((warn_unused_result));

/* Returns 0, -ESRCH when it was reaped, -EPERM when we may not, or another negative errno. A zombie
 * takes every signal, and does nothing with it. */
int process_signal(int fd, int signal) __attribute__((warn_unused_result));

/* Signals every process of the group that the held process leads. The number of a group is not
 * used again while it has members or its leader is unreaped: it must be our own child, which we
 * have not waited for, or this is a shot in the dark. Results as above. */
int process_signal_group(int fd, int32_t leader, int signal) __attribute__((warn_unused_result));

/* A zombie has ended. The pidfd can be watched for it, too: it is readable then. */
bool process_has_ended(int fd);

#endif
