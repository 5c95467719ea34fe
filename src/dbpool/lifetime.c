/* Allocates a pool, and frees it when its last user has left it. */
#include "dbpool/lifetime.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbpool/slot.h"
#include "dbpool/util.h"

struct dbpool *pool_allocate(void)
{
	struct dbpool *pool = aligned_alloc(CACHE_LINE, sizeof(*pool));
	if (!pool)
		return NULL;
	memset(pool, 0, sizeof(*pool));
	pool->abort_fd = -1;
	pool->last.pending = -1;
	for (unsigned i = 0; i < DBPOOL_MAX; i++)
		pool->slots[i].ending = -1;
	init_lock(&pool->lock);
	init_cond(&pool->work);
	init_cond(&pool->tick);
	init_cond(&pool->changed);
	return pool;
}

static void destroy(struct dbpool *pool)
{
	pthread_cond_destroy(&pool->work);
	pthread_cond_destroy(&pool->tick);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	config_clear(&pool->config);
	free(pool);
}

bool pool_is_in_use(const struct dbpool *pool)
{
	return pool->guests || slots_used(pool) || pool->orphans;
}

void pool_drop_page(struct dbpool *pool)
{
	page_writer_free(pool->writer);
	pool->writer = NULL;
	pool->page = NULL;
	if (pool->abort_fd >= 0)
		close(pool->abort_fd);
	pool->abort_fd = -1;
}

void pool_leave(struct dbpool *pool)
{
	bool ended = pool->phase == DBPOOL_DONE || pool->phase == DBPOOL_NONE;
	bool unused = ended && !pool_is_in_use(pool);
	if (unused)
		pool_drop_page(pool);
	bool last = unused && pool->freed;
	pthread_mutex_unlock(&pool->lock);
	if (last)
		destroy(pool);
}
