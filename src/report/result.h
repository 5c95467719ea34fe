/* What an action did or would do: the output of --kill-leaked, with and without --json. */
#ifndef REPORT_RESULT_H
#define REPORT_RESULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report/printer.h"

struct action;

/* Each function prints the selected targets and flushes the stream. It returns 0, or a negative
 * errno if the stream failed. */

/* Before the action: which sessions it would end, why, and what is lost. */
int result_print_plan(const struct action *plan, const struct printer_style *style, FILE *file)
	__attribute__((warn_unused_result));

/* After the action: one line for each step, and which sessions survived. */
int result_print_text(const struct action *plan, const struct printer_style *style, FILE *file)
	__attribute__((warn_unused_result));

/* One line of JSON, schema 1. In a plan (--dry-run) each result is null. */
int result_print_json(const struct action *plan, bool dry_run, FILE *file)
	__attribute__((warn_unused_result));

/* The same after an action of the guard, which prints a line each time: with the time. */
int result_print_event(const struct action *action, int64_t at, FILE *file)
	__attribute__((warn_unused_result));

/* Prints why there may be more to do than the action has, if that is so: "perhaps more: …". */
void result_put_blind(struct printer *printer, const struct action *action);

#endif
