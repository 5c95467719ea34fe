/* What scripts read: 0 clean or all done, 1 leaks found or something survived, 3 cannot tell. */
#ifndef REPORT_EXIT_STATUS_H
#define REPORT_EXIT_STATUS_H

struct action_plan;
struct assessment;
struct emergency;

/* In each, findings stand, whatever else is hidden. Without any, 3: where the server did not answer
 * the last poll, or where it hides a session in scope from our role. */

/* Of --once and --json. */
int exit_status_of_snapshot(const struct assessment *assessment);

/* Of --dry-run: 1 when there is something to end. */
int exit_status_of_plan(const struct action_plan *plan, const struct assessment *assessment);

/* Of a plan that was carried out: 1 when something survived. */
int exit_status_of_result(const struct action_plan *plan, const struct assessment *assessment);

/* The same of an emergency. */
int exit_status_of_emergency_plan(
	const struct emergency *emergency, const struct assessment *assessment);
int exit_status_of_emergency(
	const struct emergency *emergency, const struct assessment *assessment);

#endif
