/* How many slots were used and leaked in the last minutes: a ring buffer for the sparkline. */
#ifndef MODEL_HISTORY_H
#define MODEL_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define HISTORY_SAMPLES 512

struct history_sample {
	int64_t at;       /* wall clock */
	int used, leaked; /* −1: not known at that time */
};

struct history {
	struct history_sample samples[HISTORY_SAMPLES];
	size_t count, next;
};

/* Keeps at most one sample a second, with the largest values of that second. */
void history_add(struct history *history, struct history_sample sample);

/* The i-th newest sample (0 is the newest), or NULL. */
const struct history_sample *history_get(const struct history *history, size_t i);

#endif
