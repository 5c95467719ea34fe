/* Shows an outbox's numbers on the stats page of its pool. */
#ifndef OUTBOX_PUBLISHER_H
#define OUTBOX_PUBLISHER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct dbpool;
struct store;

struct publisher {
	struct store *store; /* borrowed, as the pool */
	struct dbpool *pool; /* NULL: there is no page */
	uint64_t id;
	bool normal_fsync;
	pthread_mutex_t mutex; /* from reading the numbers to showing them: no older ones follow */
};

void publisher_init(
	struct publisher *publisher, struct store *store, struct dbpool *pool, bool normal_fsync);
void publisher_deinit(struct publisher *publisher);

/* Shows the present numbers. May be called in any thread. */
void publisher_show(struct publisher *publisher);

/* The same at the end: nothing is sent any more. */
void publisher_show_closed(struct publisher *publisher);

#endif
