/* The list of pools of both kinds. Pure. */
#ifndef ANALYZE_POOLS_H
#define ANALYZE_POOLS_H

#include "model/assessment.h"

/* Lists the assessment's pools from its pages and bouncers, the fullest first. Pages that could not
 * be read are not listed. */
void pools_list(struct assessment *assessment);

/* After the joins: sets the pools of connections behind PgBouncer and of waiters. */
void pools_assign(struct assessment *assessment);

/* After the verdicts: counts the connections of each pool. */
void pools_count(struct assessment *assessment);

#endif
