/* Keeps the process's default pool. */
#include "dbpool/default.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "dbpool/dbpool.h"

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static struct dbpool
	*_Atomic latest; /* of dbpool_start(); kept after its shutdown, for the next start */
static struct dbpool *_Atomic running; /* the same while it runs, else NULL */

struct dbpool *dbpool_default(void)
{
	return atomic_load_explicit(&running, memory_order_acquire);
}

struct dbpool *default_latest(void)
{
	return atomic_load_explicit(&latest, memory_order_acquire);
}

void default_set(struct dbpool *pool)
{
	atomic_store(&latest, pool);
}

void default_runs(struct dbpool *pool)
{
	atomic_store(&running, pool);
}

void default_ended(const struct dbpool *pool)
{
	if (atomic_load(&running) == pool)
		atomic_store(&running, NULL);
}

void default_forked(void)
{
	atomic_store(&latest, NULL);
	atomic_store(&running, NULL);
	pthread_mutex_init(&start_lock, NULL);
}

void default_lock(void)
{
	pthread_mutex_lock(&start_lock);
}

void default_unlock(void)
{
	pthread_mutex_unlock(&start_lock);
}
