/* What an emergency would do, did, and left: --emergency's output, with and without --json. */
#ifndef REPORT_RESCUE_REPORT_H
#define REPORT_RESCUE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "report/printer.h"

struct emergency;
struct emergency_process;

/* All of them flush the stream, and return 0 or a negative errno when it failed. */

/* Before the act: which processes it would stop, which it leaves alone, and why. */
int rescue_report_plan(const struct emergency *emergency, const struct printer_style *style,
	FILE *file) __attribute__((warn_unused_result));

/* While it is carried out: what has just become of a process, or of the whole (NULL). */
int rescue_report_progress(const struct emergency *emergency,
	const struct emergency_process *process, const struct printer_style *style, FILE *file)
	__attribute__((warn_unused_result));

/* After it: a line a process and a session, and what is left. */
int rescue_report_text(const struct emergency *emergency, const struct printer_style *style,
	FILE *file) __attribute__((warn_unused_result));

/* One line of JSON, schema 1. Of a plan (--dry-run) each result is null. */
int rescue_report_json(const struct emergency *emergency, bool dry_run, FILE *file)
	__attribute__((warn_unused_result));

#endif
