/* Clocks of other processes, and their memory. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"

static double read_clock(clockid_t clock)
{
	struct timespec time;
	if (clock_gettime(clock, &time) != 0)
		return -1;
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

double measure_cpu(pid_t pid)
{
	clockid_t clock;
	return clock_getcpuclockid(pid, &clock) == 0 ? read_clock(clock) : -1;
}

double measure_own_cpu(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

long measure_pss(pid_t pid)
{
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/smaps_rollup", (int)pid);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char line[200];
	long kib = -1;
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Pss: %ld kB", &kib) == 1)
			break;
	return kib;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double measure_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return count ? values[count / 2] : 0;
}
