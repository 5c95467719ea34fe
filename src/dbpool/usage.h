/* What a borrower did with a connection, from the results that passed. */
#ifndef DBPOOL_USAGE_H
#define DBPOOL_USAGE_H

#include <stdbool.h>

struct link;

/* Watches the link's connection from now on; false when out of memory. */
bool usage_watch(struct link *link);

/* Whether a statement with this command tag can have changed the session, by what the tag alone
 * tells. */
bool usage_tag_tells(const char *tag);

#endif
