/* The names of containers, from the files of their engines: no daemon is asked, because that may
 * hang. Docker, podman, containerd and CRI-O (Kubernetes). */
#ifndef COLLECT_CONTAINER_NAMES_H
#define COLLECT_CONTAINER_NAMES_H

#include <stdint.h>

struct container_names;
struct peers;

/* The engines' folders are below `root`, "" or a recorded tree. Never NULL. Use it on one thread at
 * a time. */
struct container_names *container_names_new(const char *root) __attribute__((returns_nonnull));
/* NULL is allowed. */
void container_names_free(struct container_names *names);

/* Sets container and image of the block's processes where an engine's files name them. A container
 * without a name keeps its short id, and is looked for again after some seconds. `now` is the
 * monotonic clock. */
void container_names_set(struct container_names *names, int64_t now, struct peers *peers);

#endif
