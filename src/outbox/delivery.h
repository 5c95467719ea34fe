/* Delivers the writes of a store to the server, batch by batch. One thread at a time. */
#ifndef OUTBOX_DELIVERY_H
#define OUTBOX_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dbpool;
struct delivery;
struct status;
struct store;

/* What a step came to. */
enum delivery_step {
	DELIVERY_MORE, /* there is more to do at once: the connection is kept */
	DELIVERY_DONE, /* nothing is pending */
	DELIVERY_WAIT, /* it failed: the next step may succeed after a pause */
	DELIVERY_STOP, /* the pool is shut down, or the outbox has ended */
};

struct delivery_options {
	struct store *store; /* borrowed, as all */
	struct dbpool *pool;
	struct status *status;
	size_t batch; /* the most writes of a transaction */
	bool stop_on_reject;
	/* When to stop waiting for the server: CLOCK_MONOTONIC in µs. It is called several times a
	 * second, because the moment may come closer. */
	int64_t (*give_up_at)(void *data);
	void *data;
};

/* Copies the options. NULL: out of memory. */
struct delivery *delivery_new(const struct delivery_options *options);
void delivery_free(struct delivery *delivery);

/* Does one step. With DELIVERY_WAIT, *ret_pause is how long to wait, in µs. */
enum delivery_step delivery_run(struct delivery *delivery, int64_t *ret_pause);

/* Gives the connection back that a step kept for the next one: there is none. */
void delivery_rest(struct delivery *delivery);

#endif
