/* What scripts read: 0 clean or all done, 1 leaks found or something survived, 3 cannot tell. */
#ifndef REPORT_EXIT_STATUS_H
#define REPORT_EXIT_STATUS_H

struct action_plan;
struct assessment;
struct emergency;

/* Of --once and --json: leaks that were found stand, whatever else is hidden; without any, a server
 * that did not answer or rows that it hides from our role are no clean bill. */
int exit_status_of_snapshot(const struct assessment *assessment);

/* Of --dry-run: 1 when there is something to end. */
int exit_status_of_plan(const struct action_plan *plan);

/* The same of an emergency: 3 when there is nothing, but nobody could tell. */
int exit_status_of_emergency_plan(const struct emergency *emergency);
int exit_status_of_emergency(const struct emergency *emergency);

/* Of a plan that was carried out. */
int exit_status_of_result(const struct action_plan *plan);

#endif
