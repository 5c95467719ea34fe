/* --json: one assessment as one line of JSON, schema 1. */
#ifndef REPORT_SNAPSHOT_H
#define REPORT_SNAPSHOT_H

#include <stdbool.h>
#include <stdio.h>

struct assessment;

struct snapshot_options {
	bool no_query_text;
};

/* Writes the line with its end, and flushes. Returns 0, or a negative errno if the stream failed:
 * its reader may have closed it. */
int snapshot_print(const struct assessment *assessment, const struct snapshot_options *options,
	FILE *file) __attribute__((warn_unused_result));

#endif
