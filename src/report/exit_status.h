/* What scripts read: 0 clean or all done, 1 leaks found or something survived, 3 cannot tell. */
#ifndef REPORT_EXIT_STATUS_H
#define REPORT_EXIT_STATUS_H

struct action_plan;
struct assessment;

/* Of --once and --json: leaks that were found stand, whatever else is hidden; without any, a server
 * that did not answer or rows that it hides from our role are no clean bill. */
int exit_status_of_snapshot(const struct assessment *assessment);

/* Of --dry-run: 1 when there is something to end. */
int exit_status_of_plan(const struct action_plan *plan);

/* Of a plan that was carried out. */
int exit_status_of_result(const struct action_plan *plan);

#endif
