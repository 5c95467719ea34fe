/* The metrics of servers: Prometheus' text format, or OpenMetrics 1.0. Pure.
 *
 * What is not known has no sample: without fresh rows there is none about sessions. No series is
 * written twice, and their number is limited whatever the server's rows contain. */
#ifndef REPORT_METRICS_H
#define REPORT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct assessment;
struct metrics_counters;

/* One server. */
struct metrics_source {
	const char *server; /* the label: clean; differs from that of each other source */
	const struct assessment *assessment;
	const struct metrics_counters *counters;
};

enum metrics_format { METRICS_TEXT, METRICS_OPEN };
#define METRICS_FORMAT_COUNT (METRICS_OPEN + 1)

struct metrics_options {
	enum metrics_format format;
	int processes;   /* so many of the largest are shown by name */
	int wanted_free; /* --min-free; 0: not given */
};

/* 0, or a negative errno if the stream failed. */
int metrics_print(const struct metrics_source *sources, size_t n_sources,
	const struct metrics_options *options, FILE *file) __attribute__((warn_unused_result));

/* "shop:5432/app": the label of a server without a name. The caller frees it. */
char *metrics_server_label(const struct assessment *assessment);

#endif
