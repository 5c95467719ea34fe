/* The hook that a pool's shutdown runs, and the sender that it belongs to. Either may end first. */
#ifndef OUTBOX_FLUSH_HOOK_H
#define OUTBOX_FLUSH_HOOK_H

#include <stdint.h>

struct dbpool;
struct flush_hook;

/* Called in the pool's thread, once at most. */
typedef void flush_fn(void *data);

/* Adds a hook to the pool, which then has `deadline_ms` for it. Returns 0, -ENOMEM, -ENOSPC (the
 * pool has too many hooks) or DBPOOL_SHUTTING_DOWN. */
int flush_hook_new(struct dbpool *pool, int deadline_ms, flush_fn *flush, void *data,
	struct flush_hook **ret_hook) __attribute__((warn_unused_result));

/* The function is not called any more afterwards; waits for its end. NULL is allowed. */
void flush_hook_free(struct flush_hook *hook);

#endif
