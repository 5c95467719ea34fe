/* What time it is, in microseconds of CLOCK_MONOTONIC. */
#ifndef DBPOOL_CLOCK_H
#define DBPOOL_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t now_usec(void);

/* The same to within some microseconds, at a fraction of the price where the processor's counter is
 * good for it; else it is now_usec(). */
int64_t now_quick(void);

/* Keeps now_quick() quick: about once a second, from any thread. */
void clock_tune(void);

struct timespec to_timespec(int64_t usec);

#endif
