/* The output of --once: one assessment as text, for people. */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "model/findings.h"
#include "report/printer.h"

struct assessment;

struct summary_options {
	struct printer_style style;
	bool no_query_text;
	const char *command;     /* "dbtop -p 5433": what the hints begin with; NULL: "dbtop" */
	const char *proxy_start; /* the command that starts the proxy; NULL: none */
	struct findings_limits limits;
};

/* Flushes the stream. Returns 0, or a negative errno if it failed. */
int summary_print(const struct assessment *assessment, const struct summary_options *options,
	FILE *file) __attribute__((warn_unused_result));

#endif
