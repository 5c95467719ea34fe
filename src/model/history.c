/* The ring buffer behind the sparkline. */
#include "model/history.h"

#include "base/instant.h"

static int larger(int a, int b)
{
	return a > b ? a : b;
}

void history_add(struct history *history, struct history_sample sample)
{
	size_t last = (history->next + HISTORY_SAMPLES - 1) % HISTORY_SAMPLES;
	struct history_sample *newest = &history->samples[last];
	if (history->count && newest->at / USEC_PER_SEC == sample.at / USEC_PER_SEC) {
		newest->used = larger(newest->used, sample.used);
		newest->leaked = larger(newest->leaked, sample.leaked);
		return;
	}
	history->samples[history->next] = sample;
	history->next = (history->next + 1) % HISTORY_SAMPLES;
	if (history->count < HISTORY_SAMPLES)
		history->count++;
}

const struct history_sample *history_get(const struct history *history, size_t i)
{
	if (i >= history->count)
		return NULL;
	return &history->samples[(history->next + 2 * HISTORY_SAMPLES - 1 - i) % HISTORY_SAMPLES];
}
