/* One pidfd a process, watched by the loop. */
#include "collect/endings.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"

struct ending {
	uv_poll_t poll;
	struct ending *next;
	struct endings *endings;
	int fd;
	uint64_t key;
};

struct endings {
	uv_loop_t *loop;
	struct endings_callbacks callbacks;
	struct ending *first;
};

struct endings *endings_new(uv_loop_t *loop, const struct endings_callbacks *callbacks)
{
	struct endings *endings = mem_alloc(sizeof(*endings));
	endings->loop = loop;
	endings->callbacks = *callbacks;
	return endings;
}

static void on_closed(uv_handle_t *handle)
{
	struct ending *ending = handle->data;
	close(ending->fd);
	free(ending);
}

static void drop(struct ending **link)
{
	struct ending *ending = *link;
	*link = ending->next;
	uv_close((uv_handle_t *)&ending->poll, on_closed);
}

static struct ending **find(struct endings *endings, uint64_t key)
{
	struct ending **link = &endings->first;
	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

void endings_free(struct endings *endings)
{
	if (!endings)
		return;
	while (endings->first)
		drop(&endings->first);
	free(endings);
}

/* A pidfd is readable once the process is a zombie. */
static void on_ended(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	int64_t now = instant_monotonic();
	struct ending *ending = poll->data;
	struct endings *endings = ending->endings;
	uint64_t key = ending->key;
	drop(find(endings, key));
	endings->callbacks.ended(endings->callbacks.data, key, now);
}

int endings_add(struct endings *endings, int fd, uint64_t key)
{
	struct ending *ending = mem_alloc(sizeof(*ending));
	int r = uv_poll_init(endings->loop, &ending->poll, fd);
	if (r < 0) {
		close(fd);
		free(ending);
		return r;
	}
	ending->poll.data = ending;
	ending->endings = endings;
	ending->fd = fd;
	ending->key = key;
	ending->next = endings->first;
	endings->first = ending;
	return uv_poll_start(&ending->poll, UV_READABLE, on_ended);
}

int endings_fd(const struct endings *endings, uint64_t key)
{
	for (const struct ending *ending = endings->first; ending; ending = ending->next)
		if (ending->key == key)
			return ending->fd;
	return -1;
}

void endings_drop(struct endings *endings, uint64_t key)
{
	struct ending **link = find(endings, key);
	if (*link)
		drop(link);
}
