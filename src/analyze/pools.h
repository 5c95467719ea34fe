/* The list of pools, from both kinds' sources. Pure. */
#ifndef ANALYZE_POOLS_H
#define ANALYZE_POOLS_H

#include "model/assessment.h"

/* Fills the assessment's pools from its pages and bouncers: the fullest first. Pages that could not
 * be read are no pools. */
void pools_list(struct assessment *assessment);

/* After the joins: gives the connections behind PgBouncer and the waiters their pools. */
void pools_assign(struct assessment *assessment);

/* After the verdicts: counts each pool's connections. */
void pools_count(struct assessment *assessment);

/* How many extra processes the pages may bring. */
size_t pools_processes(const struct assessment *assessment);

#endif
