/* One poll handle for each process, in a list. */
#include "loop/pidfd_watch.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"

struct watched {
	uv_poll_t poll;
	struct watched *next;
	struct pidfd_watch *watch;
	int fd;
	uint64_t key;
};

struct pidfd_watch {
	uv_loop_t *loop;
	struct pidfd_watch_callbacks callbacks;
	struct watched *first;
	size_t count;
};

struct pidfd_watch *pidfd_watch_new(uv_loop_t *loop, const struct pidfd_watch_callbacks *callbacks)
{
	struct pidfd_watch *watch = mem_alloc(sizeof(*watch));
	watch->loop = loop;
	watch->callbacks = *callbacks;
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	struct watched *watched = handle->data;
	close(watched->fd);
	free(watched);
}

static void drop(struct pidfd_watch *watch, struct watched **link)
{
	struct watched *watched = *link;
	*link = watched->next;
	watch->count--;
	uv_close((uv_handle_t *)&watched->poll, on_closed);
}

void pidfd_watch_retain(
	struct pidfd_watch *watch, bool (*wanted)(const void *data, uint64_t key), const void *data)
{
	struct watched **link = &watch->first;
	while (*link) {
		if (wanted(data, (*link)->key))
			link = &(*link)->next;
		else
			drop(watch, link);
	}
}

void pidfd_watch_free(struct pidfd_watch *watch)
{
	if (!watch)
		return;
	while (watch->first)
		drop(watch, &watch->first);
	free(watch);
}

static struct watched **find(struct pidfd_watch *watch, uint64_t key)
{
	struct watched **link = &watch->first;
	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

void pidfd_watch_remove(struct pidfd_watch *watch, uint64_t key)
{
	struct watched **link = find(watch, key);
	if (*link)
		drop(watch, link);
}

/* A pidfd is readable once the process is a zombie. If polling fails, libuv has stopped the handle:
 * the end is not reported. */
static void on_ended(uv_poll_t *poll, int status, int events)
{
	(void)events;
	if (status < 0)
		return;
	int64_t now = instant_monotonic();
	struct watched *watched = poll->data;
	struct pidfd_watch *watch = watched->watch;
	uint64_t key = watched->key;
	drop(watch, find(watch, key));
	watch->callbacks.ended(watch->callbacks.data, key, now);
}

int pidfd_watch_add(struct pidfd_watch *watch, int fd, uint64_t key)
{
	struct watched *watched = mem_alloc(sizeof(*watched));
	int r = uv_poll_init(watch->loop, &watched->poll, fd);
	if (r < 0) {
		close(fd);
		free(watched);
		return r;
	}
	watched->poll.data = watched;
	watched->watch = watch;
	watched->fd = fd;
	watched->key = key;
	watched->next = watch->first;
	watch->first = watched;
	watch->count++;
	return uv_poll_start(&watched->poll, UV_READABLE, on_ended);
}

int pidfd_watch_fd(const struct pidfd_watch *watch, uint64_t key)
{
	for (const struct watched *watched = watch->first; watched; watched = watched->next)
		if (watched->key == key)
			return watched->fd;
	return -1;
}

size_t pidfd_watch_count(const struct pidfd_watch *watch)
{
	return watch->count;
}
