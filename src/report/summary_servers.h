/* What --once prints around the reports of several servers. */
#ifndef REPORT_SUMMARY_SERVERS_H
#define REPORT_SUMMARY_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct assessment;
struct printer_style;

/* "== shop ==", above the report of this server; an empty line goes before it if another report
 * does. */
void summary_print_heading(const struct assessment *assessment, const struct printer_style *style,
	bool follows, FILE *file);

/* The outcome for one server. */
struct summary_result {
	const char *name;
	int status; /* of exit_status_of_snapshot() */
};

/* The line that sums up: "3 servers: 1 with findings: shop; 1 cannot tell: old; 1 clean". Flushes
 * the stream. Returns 0, or a negative errno if it failed. */
int summary_print_total(const struct summary_result *results, size_t count,
	const struct printer_style *style, FILE *file) __attribute__((warn_unused_result));

#endif
