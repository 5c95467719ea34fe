/* Maps outcomes to exit statuses. */
#include "report/exit_status.h"

#include "model/action.h"
#include "model/assessment.h"
#include "model/emergency.h"

enum { CLEAN = 0, LEAKS = 1, CANNOT_TELL = 3 };

static bool hides_rows(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].in_scope &&
			assessment->connections[i].backend->kind == BACKEND_HIDDEN)
			return true;
	return false;
}

int exit_status_of_snapshot(const struct assessment *assessment)
{
	if (assessment->server.status != SERVER_OK || !assessment->activity)
		return CANNOT_TELL;
	if (assessment->n_leaked > 0)
		return LEAKS;
	return hides_rows(assessment) ? CANNOT_TELL : CLEAN;
}

int exit_status_of_plan(const struct action_plan *plan)
{
	return plan->n_targets > 0 ? LEAKS : CLEAN;
}

int exit_status_of_result(const struct action_plan *plan)
{
	for (size_t i = 0; i < plan->n_targets; i++)
		if (plan->targets[i].selected && action_result_survived(plan->targets[i].result))
			return LEAKS;
	return CLEAN;
}

int exit_status_of_emergency_plan(const struct emergency *emergency)
{
	if (emergency_count_stopped(emergency) > 0 || emergency->gone->n_targets > 0)
		return LEAKS;
	return emergency->connected ? CLEAN : CANNOT_TELL;
}

int exit_status_of_emergency(const struct emergency *emergency)
{
	if (emergency->interrupted || emergency->n_left > 0)
		return LEAKS;
	for (size_t i = 0; i < emergency->n_processes; i++)
		if (action_result_survived(emergency->processes[i].result))
			return LEAKS;
	return emergency->counted < 0 ? CANNOT_TELL : CLEAN;
}
