#include "outbox/flush_hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "dbpool/dbpool.h"
#include "outbox/error.h"

struct flush_hook {
	pthread_mutex_t mutex; /* held while the function runs */
	int references;        /* the sender's and the pool's */
	struct dbpool *pool;
	flush_fn *flush; /* NULL when the sender has ended */
	void *data;
};

static void drop(struct flush_hook *hook)
{
	pthread_mutex_lock(&hook->mutex);
	int left = --hook->references;
	pthread_mutex_unlock(&hook->mutex);
	if (left)
		return;
	pthread_mutex_destroy(&hook->mutex);
	free(hook);
}

/* What is left afterwards is on the disk: nothing is lost, so it always succeeds. */
static int run(void *data)
{
	struct flush_hook *hook = data;
	pthread_mutex_lock(&hook->mutex);
	if (hook->flush)
		hook->flush(hook->data);
	pthread_mutex_unlock(&hook->mutex);
	drop(hook);
	return 0;
}

int flush_hook_new(struct dbpool *pool, int deadline_ms, flush_fn *flush, void *data,
	struct flush_hook **ret_hook)
{
	struct flush_hook *hook = calloc(1, sizeof(*hook));
	if (!hook)
		return outbox_fail(-ENOMEM, "out of memory");
	pthread_mutex_init(&hook->mutex, NULL);
	hook->references = 2;
	hook->pool = pool;
	hook->flush = flush;
	hook->data = data;
	int r = dbpool_hook_add(pool,
		&(struct dbpool_hook){
			.name = "outbox",
			.phase = DBPOOL_HOOK_FLUSH,
			.deadline_ms = deadline_ms,
			.run = run,
			.data = hook,
		});
	if (r != DBPOOL_OK) {
		pthread_mutex_destroy(&hook->mutex);
		free(hook);
		return outbox_fail(r, "cannot add a hook to the pool: %s", dbpool_error());
	}
	*ret_hook = hook;
	return 0;
}

void flush_hook_free(struct flush_hook *hook)
{
	if (!hook)
		return;
	pthread_mutex_lock(&hook->mutex);
	hook->flush = NULL;
	pthread_mutex_unlock(&hook->mutex);
	if (dbpool_hook_remove(hook->pool, run, hook) == DBPOOL_OK)
		drop(hook);
	drop(hook);
}
