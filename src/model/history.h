/* How many slots were used and leaked over the last minutes: the sparkline's ring. */
#ifndef MODEL_HISTORY_H
#define MODEL_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define HISTORY_SAMPLES 512

struct history_sample {
	int64_t at;       /* wall clock */
	int used, leaked; /* −1: not known then */
};

struct history {
	struct history_sample samples[HISTORY_SAMPLES];
	size_t count, next;
};

/* At most one sample a second is kept: the largest of each. */
void history_add(struct history *history, struct history_sample sample);

/* The i-th newest (0 is the last one), or NULL. */
const struct history_sample *history_get(const struct history *history, size_t i);

#endif
