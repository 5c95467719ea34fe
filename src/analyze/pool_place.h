/* Decides which pages belong to this server, and which are no longer needed. Pure.
 *
 * A page names its server as its pool was configured to reach it, which may differ from how we
 * reach it. So sessions decide if possible: a slot that is a row here is proof. Otherwise the names
 * decide: the same port by an address of this machine, or the port of a known
 * PgBouncer or proxy. */
#ifndef ANALYZE_POOL_PLACE_H
#define ANALYZE_POOL_PLACE_H

#include <stdbool.h>

#include "model/assessment.h"

struct map;

/* Sets here, elsewhere, unsure and spent of a pool with a page, after its slots were joined.
 * by_pid: backend pid → index into the assessment's connections. `previous` may be NULL. */
void pool_place_judge(const struct assessment *assessment, const struct assessment *previous,
	const struct map *by_pid, struct pool *pool);

#endif
