/* What the benchmarks measure with. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* µs of processor time that the process, with all its threads, has used. */
double measure_cpu(pid_t pid);
/* The same, of our own. */
double measure_own_cpu(void);

/* The process's proportional set size in KiB. */
long measure_pss(pid_t pid);

/* Sorts. */
double measure_median(double *values, size_t count);

#endif
