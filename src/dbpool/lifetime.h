/* The memory of a pool, and who still uses it. */
#ifndef DBPOOL_LIFETIME_H
#define DBPOOL_LIFETIME_H

#include <stdbool.h>

struct dbpool;

/* Returns an empty pool, or NULL. */
struct dbpool *pool_allocate(void);
/* True while a thread that the shutdown left behind, or a connection that was not released, still
 * uses the pool. Such a pool keeps its page and is not started again. The pool's mutex is
 * held. */
bool pool_is_in_use(const struct dbpool *pool);
/* Frees the page and abort_fd, which a pool has only while it is used. The pool's mutex is held. */
void pool_drop_page(struct dbpool *pool);
/* Called when a guest has ended or a link is gone. Releases the pool's mutex. After the shutdown,
 * the last such call also drops the page and, if the pool was freed, destroys the pool. */
void pool_leave(struct dbpool *pool);

#endif
