/* The instant at which a process ends, to the microsecond: through its pidfd. */
#ifndef COLLECT_ENDINGS_H
#define COLLECT_ENDINGS_H

#include <stdint.h>
#include <uv.h>

struct endings;

struct endings_callbacks {
	void *data;
	/* The process of this key ended; `at` is the monotonic clock. */
	void (*ended)(void *data, uint64_t key, int64_t at);
};

/* Never NULL. */
struct endings *endings_new(uv_loop_t *loop, const struct endings_callbacks *callbacks)
	__attribute__((returns_nonnull));

/* The handles close in the loop's next turns. NULL is allowed. */
void endings_free(struct endings *endings);

/* Takes the pidfd over. Returns 0, or a negative errno with the pidfd closed. */
int endings_add(struct endings *endings, int fd, uint64_t key);

/* The pidfd given for the key; −1 when there is none, or its process has ended. Borrowed. */
int endings_fd(const struct endings *endings, uint64_t key);

/* Forgets the key. */
void endings_drop(struct endings *endings, uint64_t key);

#endif
