/* A part of a store's numbers: see store.h. */
#ifndef OUTBOX_STORE_EPOCH_H
#define OUTBOX_STORE_EPOCH_H

#include <stdint.h>

/* An epoch, as the file knows it. */
struct store_epoch {
	int64_t place; /* epochs are in the order in which they were drawn */
	int64_t epoch; /* random, positive */
	int64_t assigned, confirmed;
};

#endif
