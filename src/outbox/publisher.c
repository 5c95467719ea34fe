#include "outbox/publisher.h"

#include <stdlib.h>
#include <string.h>

#include "dbpool/dbpool.h"
#include "outbox/store.h"

void publisher_init(
	struct publisher *publisher, struct store *store, struct dbpool *pool, bool normal_fsync)
{
	char digits[17] = "";
	memcpy(digits, store_id(store), sizeof(digits) - 1);
	*publisher = (struct publisher){
		.store = store,
		.pool = pool,
		.id = strtoull(digits, NULL, 16),
		.normal_fsync = normal_fsync,
	};
	pthread_mutex_init(&publisher->mutex, NULL);
}

void publisher_deinit(struct publisher *publisher)
{
	pthread_mutex_destroy(&publisher->mutex);
}

static void show(struct publisher *publisher, bool closed)
{
	struct store_counts counts;
	if (!publisher->pool)
		return;
	pthread_mutex_lock(&publisher->mutex);
	store_counts(publisher->store, &counts);
	const struct dbpool_outbox outbox = {
		.id = publisher->id,
		.waiting = counts.pending,
		.rejected = counts.rejected,
		.oldest = counts.oldest,
		.normal_fsync = publisher->normal_fsync,
		.closed = closed,
	};
	dbpool_outbox(publisher->pool, &outbox, sizeof(outbox));
	pthread_mutex_unlock(&publisher->mutex);
}

void publisher_show(struct publisher *publisher)
{
	show(publisher, false);
}

void publisher_show_closed(struct publisher *publisher)
{
	show(publisher, true);
}
