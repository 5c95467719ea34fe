/* Reports the end of processes as soon as they end, through their pidfds. */
#ifndef LOOP_PIDFD_WATCH_H
#define LOOP_PIDFD_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct pidfd_watch;

struct pidfd_watch_callbacks {
	void *data;
	/* The process of this key ended at `at`, in µs of the monotonic clock. The key is removed
	 * before the call. */
	void (*ended)(void *data, uint64_t key, int64_t at);
};

/* Never NULL. */
struct pidfd_watch *pidfd_watch_new(uv_loop_t *loop, const struct pidfd_watch_callbacks *callbacks)
	__attribute__((returns_nonnull));

/* The handles close in the loop's next turns. NULL is allowed. */
void pidfd_watch_free(struct pidfd_watch *watch);

/* Watches a process. Takes ownership of the pidfd. The key must not be in use. Returns 0, or a
 * negative errno with the pidfd closed. */
int pidfd_watch_add(struct pidfd_watch *watch, int fd, uint64_t key)
	__attribute__((warn_unused_result));

/* Returns the pidfd of the key, which stays owned by the watch; −1 when the key is not watched or
 * its process has ended. */
int pidfd_watch_fd(const struct pidfd_watch *watch, uint64_t key);

/* The number of watched processes. */
size_t pidfd_watch_count(const struct pidfd_watch *watch);

/* Stops watching the key, if it is watched, and closes its pidfd. */
void pidfd_watch_remove(struct pidfd_watch *watch, uint64_t key);

/* Removes each key for which `wanted` returns false. */
void pidfd_watch_retain(struct pidfd_watch *watch, bool (*wanted)(const void *data, uint64_t key),
	const void *data);

#endif
