/* What an emergency would do, what it did, and what is left: the output of --emergency, with and
 * without --json. */
#ifndef REPORT_EMERGENCY_REPORT_H
#define REPORT_EMERGENCY_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "report/printer.h"

struct emergency;
struct action_step;

/* Each function flushes the stream. It returns 0, or a negative errno if the stream failed. */

/* Before the action: the processes that it would stop, and those that it leaves alone and why. */
int emergency_report_plan(const struct emergency *emergency, const struct printer_style *style,
	FILE *file) __attribute__((warn_unused_result));

/* During the action: the new state of a process, or of the whole (NULL). */
int emergency_report_progress(const struct emergency *emergency, const struct action_step *step,
	const struct printer_style *style, FILE *file) __attribute__((warn_unused_result));

/* After the action: one line for each process and session, and what is left. */
int emergency_report_text(const struct emergency *emergency, const struct printer_style *style,
	FILE *file) __attribute__((warn_unused_result));

/* One line of JSON, schema 1. In a plan (--dry-run) each result is null. */
int emergency_report_json(const struct emergency *emergency, bool dry_run, FILE *file)
	__attribute__((warn_unused_result));

#endif
