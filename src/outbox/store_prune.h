/* Removes sent writes that are kept no longer. */
#ifndef OUTBOX_STORE_PRUNE_H
#define OUTBOX_STORE_PRUNE_H

#include <stdint.h>

struct store;

/* Removes one batch that was confirmed before `before`. 1: removed, 0: there is none. The store's
 * mutex is held. */
int store_prune_batch(struct store *store, int64_t before) __attribute__((warn_unused_result));

#endif
