/* The time, in microseconds of CLOCK_MONOTONIC. */
#ifndef DBPOOL_CLOCK_H
#define DBPOOL_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t now_usec(void);

/* The same time to within some microseconds. Reads the processor's counter where that is reliable,
 * which is faster; otherwise it is now_usec(). */
int64_t now_quick(void);

/* Calibrates the counter for now_quick(). To be called about once a second, from any thread. */
void clock_tune(void);

struct timespec to_timespec(int64_t usec);

#endif
