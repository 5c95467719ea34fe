/* What an action came to, or would come to: --kill-leaked's output, with and without --json. */
#ifndef REPORT_RESULT_H
#define REPORT_RESULT_H

#include <stdbool.h>
#include <stdio.h>

#include "report/printer.h"

struct action_plan;

/* All three tell of the selected targets, flush the stream, and return 0 or a negative errno when
 * it failed. */

/* Before the act: exactly whom it would end, why, and what is lost. */
int result_print_plan(const struct action_plan *plan, const struct printer_style *style, FILE *file)
	__attribute__((warn_unused_result));

/* After it: a line a target, and who survived. */
int result_print_text(const struct action_plan *plan, const struct printer_style *style, FILE *file)
	__attribute__((warn_unused_result));

/* One line of JSON, schema 1. Of a plan (--dry-run) each result is null. */
int result_print_json(const struct action_plan *plan, bool dry_run, FILE *file)
	__attribute__((warn_unused_result));

#endif
