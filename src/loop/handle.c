#include "loop/handle.h"

#include <stdlib.h>

#include "base/mem.h"

uv_timer_t *handle_new_timer(uv_loop_t *loop, void *data)
{
	uv_timer_t *timer = mem_alloc(sizeof(*timer));
	/* uv_timer_init() always returns 0 */
	(void)uv_timer_init(loop, timer);
	timer->data = data;
	return timer;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

void handle_close(void *handle)
{
	if (handle)
		uv_close(handle, free_handle);
}
