/* The exit statuses for scripts: 0 clean or all done, 1 leaks found or a session survived, 3 cannot
 * tell. */
#ifndef REPORT_EXIT_STATUS_H
#define REPORT_EXIT_STATUS_H

struct action;
struct assessment;
struct emergency;

/* Findings count in each mode, even if something else is hidden. Without findings the status is 3
 * if the server did not answer the last poll, or if it hides a session in scope from our role. */

/* Of --once and --json. */
int exit_status_of_snapshot(const struct assessment *assessment);

/* Of --dry-run: 1 if there is something to end. */
int exit_status_of_plan(const struct action *plan, const struct assessment *assessment);

/* Of a plan that was carried out: 1 if a session survived. */
int exit_status_of_result(const struct action *plan, const struct assessment *assessment);

/* The same of an emergency. */
int exit_status_of_emergency_plan(
	const struct emergency *emergency, const struct assessment *assessment);
int exit_status_of_emergency(
	const struct emergency *emergency, const struct assessment *assessment);

#endif
