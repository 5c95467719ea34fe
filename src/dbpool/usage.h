/* What a borrower did with a connection, learnt from the results that libpq created. */
#ifndef DBPOOL_USAGE_H
#define DBPOOL_USAGE_H

#include <stdbool.h>

struct pool_link;

/* Watches the link's connection from now on. Returns false when out of memory. */
bool usage_watch(struct pool_link *link);

#endif
