/* The application's hooks. */
#ifndef DBPOOL_HOOKS_H
#define DBPOOL_HOOKS_H

#include "dbpool/dbpool.h"
#include <stdbool.h>
#include <stdint.h>

/* True when the calling thread runs a hook of this pool. */
bool hook_is_here(const struct dbpool *pool);
/* Runs the hooks of a phase, until the deadline at most. */
void hooks_run(struct dbpool *pool, enum dbpool_hook_phase phase, int64_t until);

#endif
