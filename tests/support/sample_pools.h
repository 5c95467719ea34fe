/* The samples' pools: one of libdbpool, one of PgBouncer with two clients that wait. */
#ifndef SUPPORT_SAMPLE_POOLS_H
#define SUPPORT_SAMPLE_POOLS_H

#include <stddef.h>
#include <stdint.h>

struct assessment;

/* Adds them: the backends of app/4312/1 to 3 become the page's slots; `starving` is the index of
 * the process that waits. */
void sample_add_pools(struct assessment *assessment, uint32_t starving);

#endif
