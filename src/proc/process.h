/* Holds processes by pidfd: a signal goes to exactly the planned process, even if its pid was used
 * again. See pidfd_open(2). */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Opens a pidfd of the process that has this pid, whichever it is. Returns the pidfd, which the
 * caller closes, or a negative errno. */
int process_open(int32_t pid) __attribute__((warn_unused_result));

/* Opens a pidfd of the process with this pid and start time (/proc/PID/stat, field 22); the caller
 * closes *ret_fd. proc_root is "/proc" or, in tests, another tree.
 *
 * Returns 0; -ESRCH if the process has ended or is a zombie; -ESTALE if the pid belongs to another
 * process by now; or another negative errno: then it is not known who has the pid. */
int process_hold(const char *proc_root, int32_t pid, uint64_t start_ticks, int *ret_fd)
	__attribute__((warn_unused_result));

/* Reads the start time of the process with this pid. Returns 0, -ESRCH or a negative errno. */
int process_start_ticks(const char *proc_root, int32_t pid, uint64_t *ret_start_ticks)
	__attribute__((warn_unused_result));

/* Returns 0, -ESRCH if the process was reaped, -EPERM if we may not signal it, or another negative
 * errno. For a zombie it returns 0, but the signal has no effect. */
int process_signal(int fd, int signal) __attribute__((warn_unused_result));

/* True if the process has ended; a zombie has ended. The pidfd becomes readable then and can be
 * watched. */
bool process_has_ended(int fd);

#endif
