#include "loop/signal_watch.h"

#include <stdlib.h>

#include "base/mem.h"
#include "loop/handle.h"

struct signal_watch {
	struct signal_watch_callbacks callbacks;
	uv_signal_t **handles;
	size_t count;
};

static void on_signal(uv_signal_t *handle, int number)
{
	const struct signal_watch *watch = handle->data;
	watch->callbacks.received(watch->callbacks.data, number);
}

struct signal_watch *signal_watch_new(uv_loop_t *loop, const int *numbers, size_t count,
	const struct signal_watch_callbacks *callbacks)
{
	struct signal_watch *watch = mem_alloc(sizeof(*watch));
	watch->callbacks = *callbacks;
	watch->handles = mem_resize(NULL, count + 1, sizeof(*watch->handles));
	watch->count = count;
	for (size_t i = 0; i < count; i++) {
		watch->handles[i] = mem_alloc(sizeof(**watch->handles));
		uv_signal_init(loop, watch->handles[i]);
		watch->handles[i]->data = watch;
		uv_signal_start(watch->handles[i], on_signal, numbers[i]);
	}
	return watch;
}

void signal_watch_free(struct signal_watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->count; i++)
		handle_close(watch->handles[i]);
	free(watch->handles);
	free(watch);
}
