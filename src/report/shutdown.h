/* The result of a shutdown test: text for people, JSON, and JUnit XML for CI systems. */
#ifndef REPORT_SHUTDOWN_H
#define REPORT_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report/printer.h"

struct shutdown_record;
struct shutdown_verdict;

struct shutdown_report {
	const char *const *command; /* the command as given; NULL-terminated */
	const struct shutdown_record *record;
	const struct shutdown_verdict *verdict;
	const char *target; /* "group", "leader": what the signal is sent to; NULL: no signal */
	bool strict;
	long round, rounds; /* from 1 */
	int64_t duration;   /* µs from the start of the round to its verdict */
};

/* Each function flushes the stream. It returns 0, or a negative errno if the stream failed. */

int shutdown_print_text(const struct shutdown_report *report, const struct printer_style *style,
	FILE *file) __attribute__((warn_unused_result));

/* One line of JSON, schema 1. */
int shutdown_print_json(const struct shutdown_report *report, FILE *file)
	__attribute__((warn_unused_result));

struct shutdown_tally {
	long tests, failures, errors;
	int64_t duration; /* µs */
};

/* Writes one <testcase> and counts it in the tally. */
void shutdown_print_junit_case(
	const struct shutdown_report *report, struct shutdown_tally *tally, FILE *file);

/* Writes the whole file around the cases. */
int shutdown_print_junit(const struct shutdown_tally *tally, const char *cases, FILE *file)
	__attribute__((warn_unused_result));

#endif
