/* The exit statuses for scripts: 0 clean or all done, 1 findings, 3 cannot tell. */
#ifndef REPORT_EXIT_STATUS_H
#define REPORT_EXIT_STATUS_H

#include "model/findings.h"

struct action;
struct assessment;
struct emergency;

/* Findings count in each mode, even if something else could not be looked at: leaks of at least the
 * certainty that is asked for, sessions that survived, too few free slots. Without findings the
 * status is 3 if something could not be looked at: model/findings.h. */

/* Of --once and --json. */
int exit_status_of_snapshot(
	const struct assessment *assessment, const struct findings_limits *limits);

/* Of several servers, two at a time: 1 if one has findings, else 3 if one cannot tell. */
int exit_status_join(int a, int b);

/* Of --dry-run: 1 if there is something to end. */
int exit_status_of_plan(const struct action *plan, const struct assessment *assessment,
	const struct findings_limits *limits);

/* Of a plan that was carried out: 1 if a session survived. */
int exit_status_of_result(const struct action *plan, const struct assessment *assessment,
	const struct findings_limits *limits);

/* The same of an emergency. Sessions whose process cannot be seen from here could not be looked
 * at. */
int exit_status_of_emergency_plan(
	const struct emergency *emergency, const struct assessment *assessment);
int exit_status_of_emergency(
	const struct emergency *emergency, const struct assessment *assessment);

#endif
