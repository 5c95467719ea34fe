/* Allocates and frees libuv's handles, which must live until the loop has closed them. */
#ifndef LOOP_HANDLE_H
#define LOOP_HANDLE_H

#include <uv.h>

/* Creates a timer that is not started. `data` is for its callback. */
uv_timer_t *handle_new_timer(uv_loop_t *loop, void *data) __attribute__((returns_nonnull));

/* Closes a handle that was allocated with malloc(). Its callback is not called any more, and the
 * loop frees it in a later turn. NULL is allowed. */
void handle_close(void *handle);

#endif
