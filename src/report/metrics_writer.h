/* The samples of one metric of one server. */
#ifndef REPORT_METRICS_WRITER_H
#define REPORT_METRICS_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct assessment;
struct metrics_counters;
struct metrics_options;
struct metrics_rows;

/* What a row of the table writes its samples with. */
struct metrics_writer {
	FILE *file;
	const char *name;   /* of the metric */
	const char *server; /* the label */
	const struct assessment *assessment;
	const struct metrics_counters *counters;
	const struct metrics_options *options;
	const struct metrics_rows *rows;
	bool fresh; /* the rows of the server are current */
};

/* A label and its value. */
struct metrics_label {
	const char *name, *value;
};

#define LABELS(...) ((const struct metrics_label[]){ __VA_ARGS__, { NULL, NULL } })

/* Begins a sample: the name with its labels, which end with a NULL name. The value follows. */
void metrics_begin(const struct metrics_writer *writer, const char *suffix,
	const struct metrics_label *labels);

/* labels may be NULL. */
void metrics_put(
	const struct metrics_writer *writer, const struct metrics_label *labels, int64_t value);

/* Writes nothing for a value that is not known (negative). */
void metrics_put_known(
	const struct metrics_writer *writer, const struct metrics_label *labels, int64_t value);

/* Microseconds, written as seconds; nothing for a negative number. */
void metrics_put_seconds(
	const struct metrics_writer *writer, const struct metrics_label *labels, int64_t usec);

#endif
