/* The process's default pool. See also dbpool_default(). */
#ifndef DBPOOL_DEFAULT_H
#define DBPOOL_DEFAULT_H

struct dbpool;

/* The pool of dbpool_start(), even after its shutdown; NULL before the first start. */
struct dbpool *default_latest(void);
/* Sets that pool, before it is started. */
void default_set(struct dbpool *pool);
/* The pool has started: dbpool_default() returns it. */
void default_runs(struct dbpool *pool);
/* After a shutdown: the pool is no longer the default one. */
void default_ended(const struct dbpool *pool);
/* In a forked child, which has no pool. */
void default_forked(void);
/* Only one thread at a time starts the default pool. */
void default_lock(void);
void default_unlock(void);

#endif
