/* Which pages are this server's business, and which are over. Pure.
 *
 * A page names its server as its pool was told to reach it, which need not be how we do. So the
 * sessions decide where they can: a slot that is a row here is proof. Without one the names do:
 * the same port by ways of this machine, or the port of a PgBouncer or proxy that we know. */
#ifndef ANALYZE_POOL_PLACE_H
#define ANALYZE_POOL_PLACE_H

#include <stdbool.h>

#include "model/assessment.h"

struct map;

/* Sets here, elsewhere and spent of a pool with a page, after its slots were joined. by_pid:
 * backend pid → index into the assessment's connections. `previous` may be NULL. */
void pool_place_judge(const struct assessment *assessment, const struct assessment *previous,
	const struct map *by_pid, struct pool *pool);

#endif
