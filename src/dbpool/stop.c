/* Asks for the shutdown, and waits for its end. */
#include "dbpool/stop.h"

#include "dbpool/default.h"
#include "dbpool/hooks.h"
#include "dbpool/state.h"
#include "dbpool/util.h"

void pool_request_end(struct dbpool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_signal(&pool->tick);
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

/* Joins the housekeeper's thread, once. The pool's mutex is held. */
static void join_housekeeper(struct dbpool *pool)
{
	while (pool->has_housekeeper && pool->joining)
		wait_until(&pool->changed, &pool->lock, INT64_MAX);
	if (!pool->has_housekeeper)
		return;
	pool->joining = true;
	pthread_mutex_unlock(&pool->lock);
	pthread_join(pool->housekeeper, NULL);
	pthread_mutex_lock(&pool->lock);
	pool->has_housekeeper = pool->joining = false;
	pthread_cond_broadcast(&pool->changed);
}

/* True in a hook or in one of the pool's threads (the log's callback): waiting for the shutdown
 * there would never end. */
static bool is_ours(const struct dbpool *pool)
{
	return hook_is_here(pool) ||
		(pool->has_housekeeper && pthread_equal(pthread_self(), pool->housekeeper)) ||
		(pool->has_connector && pthread_equal(pthread_self(), pool->connector));
}

int dbpool_shutdown(struct dbpool *pool)
{
	if (!pool)
		pool = default_latest();
	if (!pool)
		return DBPOOL_OK;
	if (pool->forked)
		return fail(DBPOOL_FORKED,
			"the pool belongs to the parent process: start one in this process");
	pthread_mutex_lock(&pool->lock);
	bool ours = is_ours(pool);
	if (pool->n_exempt < sizeof(pool->exempt) / sizeof(pool->exempt[0]))
		pool->exempt[pool->n_exempt++] = thread_id();
	pool->stop = true;
	pthread_cond_signal(&pool->tick);
	pthread_cond_broadcast(&pool->changed);
	while (!ours && pool->phase != DBPOOL_DONE && pool->phase != DBPOOL_NONE)
		wait_until(&pool->changed, &pool->lock, INT64_MAX);
	if (!ours)
		join_housekeeper(pool);
	int result = pool->ended_as;
	pthread_mutex_unlock(&pool->lock);
	return result;
}
