/* The output of --once: one assessment as text, for people. */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "report/printer.h"

struct assessment;

struct summary_options {
	struct printer_style style;
	bool no_query_text;
};

/* Flushes the stream. Returns 0, or a negative errno if it failed. */
int summary_print(const struct assessment *assessment, const struct summary_options *options,
	FILE *file) __attribute__((warn_unused_result));

#endif
