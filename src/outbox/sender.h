/* Sends the writes of a store to the server: in a thread of its own, and in the thread that runs
 * the pool's shutdown. */
#ifndef OUTBOX_SENDER_H
#define OUTBOX_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox/dboutbox.h"

struct dbpool;
struct sender;
struct store;

struct sender_options {
	struct store *store; /* borrowed */
	struct dbpool *pool; /* borrowed; NULL: nothing is sent */
	size_t batch;
	int64_t flush; /* µs: the limit of sender_stop() and of the flush hook */
	bool stop_on_reject;
	bool normal_fsync; /* for the stats page */
	bool quiet;
	dboutbox_log_fn *log;
	void *log_data;
};

/* Starts the thread and adds the flush hook to the pool. Returns 0, -ENOMEM or -EAGAIN. */
int sender_new(const struct sender_options *options, struct sender **ret_sender)
	__attribute__((warn_unused_result));

/* Sends what it can until the limit, ends the thread and frees it. NULL is allowed. */
void sender_free(struct sender *sender);

/* A write was stored. */
void sender_wake(struct sender *sender);

/* Why no more writes are taken: 0, DBOUTBOX_DIVERGED, DBOUTBOX_STOPPED or DBOUTBOX_DAMAGED. */
int sender_ended(struct sender *sender);

/* Waits for the writes that are pending now; returns how many of them are left. −1: no limit. */
int64_t sender_flush(struct sender *sender, int64_t usec);

/* Fills in state, sent, gap, rate and last_error. */
void sender_stats(struct sender *sender, struct dboutbox_stats *stats);

#endif
