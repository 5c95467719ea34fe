/* libuv's handles, which live until the loop has closed them. */
#ifndef LOOP_HANDLE_H
#define LOOP_HANDLE_H

#include <uv.h>

/* A timer that is not started; data is its callback's. */
uv_timer_t *handle_new_timer(uv_loop_t *loop, void *data) __attribute__((returns_nonnull));

/* Closes any handle that has an allocation of its own; its callback is not called any more, and the
 * loop's next turns free it. NULL is allowed. */
void handle_close(void *handle);

#endif
