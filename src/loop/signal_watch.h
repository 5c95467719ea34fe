/* Reports signals that this process receives. */
#ifndef LOOP_SIGNAL_WATCH_H
#define LOOP_SIGNAL_WATCH_H

#include <stddef.h>
#include <uv.h>

struct signal_watch;

struct signal_watch_callbacks {
	void *data;
	void (*received)(void *data, int number);
};

/* Watches these signals. Never NULL. */
struct signal_watch *signal_watch_new(uv_loop_t *loop, const int *numbers, size_t count,
	const struct signal_watch_callbacks *callbacks) __attribute__((returns_nonnull));

/* The handles close in the loop's next turns. NULL is allowed. */
void signal_watch_free(struct signal_watch *watch);

#endif
