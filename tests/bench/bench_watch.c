/* What an armed shutdown watch costs the loop's thread, for a few sockets and for many: each list
 * is read once a sample, so that four times the sockets take about four times as long. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/instant.h"
#include "watch/watch.h"
#include "watched.h"

#define FEW  1250
#define MANY 5000

/* A quadratic step would make it 16. */
#define MOST_RATIO 8.0

#define ROUNDS 20

enum step { STEP_FIRST_SAMPLE, STEP_FIRST_ASSESSMENT, STEP_SAMPLE, STEP_ASSESSMENT, STEP_VERDICT };
#define STEPS (STEP_VERDICT + 1)

static const char *const names[STEPS] = { "first sample", "first assessment", "sample",
	"assessment", "verdict" };

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void note(double *least, double began_at)
{
	double took = now() - began_at;
	if (*least == 0 || took < *least)
		*least = took;
}

/* All sockets are closed and all sessions gone: the longest of timelines. */
static void judge(struct watched *watched)
{
	struct shutdown_record *record = watch_record(watched->watch);
	static const struct shutdown_rules rules;
	struct arena *arena = arena_new();
	record->signalled_at = record->armed_at;
	for (size_t i = 0; i < record->n_connections; i++)
		record->connections[i].ended_at = instant_monotonic();
	(void)shutdown_judge(record, &rules, instant_monotonic(), arena);
	arena_free(arena);
}

/* The least of several rounds: what others do on this machine only adds to it. */
static void measure(size_t n_sockets, double least[STEPS])
{
	for (int round = 0; round < ROUNDS; round++) {
		struct watched watched;
		/* a process for every second socket, as of a server that forks */
		watched_init(&watched, n_sockets, n_sockets / 2);
		double began_at = now();
		watched_sample(&watched);
		note(&least[STEP_FIRST_SAMPLE], began_at);
		began_at = now();
		watched_assess(&watched);
		note(&least[STEP_FIRST_ASSESSMENT], began_at);
		began_at = now();
		watched_sample(&watched);
		note(&least[STEP_SAMPLE], began_at);
		began_at = now();
		watched_assess(&watched);
		note(&least[STEP_ASSESSMENT], began_at);
		began_at = now();
		judge(&watched);
		note(&least[STEP_VERDICT], began_at);
		if (watch_count(watched.watch) != 0)
			exit(2);
		watched_deinit(&watched);
	}
}

int main(void)
{
	double few[STEPS] = { 0 }, many[STEPS] = { 0 };
	int status = 0;
	measure(FEW, few);
	measure(MANY, many);
	printf("%-18s %10s %10s %7s\n", "µs for … sockets", "1250", "5000", "ratio");
	for (int step = 0; step < STEPS; step++) {
		double ratio = many[step] / few[step];
		printf("%-18s %10.0f %10.0f %7.1f\n", names[step], few[step], many[step], ratio);
		if (ratio > MOST_RATIO)
			status = 1;
	}
	if (status)
		printf("four times the sockets must not take %.0f times as long\n", MOST_RATIO);
	return status;
}
