/* Reports the end of processes at once, through their pidfds. */
#ifndef LOOP_PIDFD_WATCH_H
#define LOOP_PIDFD_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct pidfd_watch;

struct pidfd_watch_callbacks {
	void *data;
	/* The process of this key ended; `at` is the monotonic clock in µs. The key is forgotten
	 * before the call. */
	void (*ended)(void *data, uint64_t key, int64_t at);
};

/* Never NULL. */
struct pidfd_watch *pidfd_watch_new(uv_loop_t *loop, const struct pidfd_watch_callbacks *callbacks)
	__attribute__((returns_nonnull));

/* The handles close in the loop's next turns. NULL is allowed. */
void pidfd_watch_free(struct pidfd_watch *watch);

/* Takes the pidfd over; the key must not be in use. Returns 0, or a negative errno with the pidfd
 * closed. */
int pidfd_watch_add(struct pidfd_watch *watch, int fd, uint64_t key)
	__attribute__((warn_unused_result));

/* The pidfd of the key; −1 when there is none, or its process has ended. Borrowed. */
int pidfd_watch_fd(const struct pidfd_watch *watch, uint64_t key);

/* How many processes are watched. */
size_t pidfd_watch_count(const struct pidfd_watch *watch);

/* Forgets each key that is not wanted. */
void pidfd_watch_retain(struct pidfd_watch *watch, bool (*wanted)(const void *data, uint64_t key),
	const void *data);

#endif
