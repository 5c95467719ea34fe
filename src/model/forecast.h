/* When the slots will be used up if they go on as in the last minutes. */
#ifndef MODEL_FORECAST_H
#define MODEL_FORECAST_H

#include <stdint.h>

struct history;

/* Returns in how many µs `room` slots will be in use, at most an hour; −1 if there is no such
 * trend: too few samples without a gap, no steady rise that lasts until now, or they are in use
 * already. `now` is of the wall clock, as the samples' times are. */
int64_t forecast_full(const struct history *history, int room, int64_t now);

#endif
