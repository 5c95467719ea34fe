/* Maps outcomes to exit statuses. */
#include "report/exit_status.h"

#include "model/action.h"
#include "model/assessment.h"
#include "model/emergency.h"

enum { CLEAN = 0, LEAKS = 1, CANNOT_TELL = 3 };

/* Whether a session in scope is hidden from our role. A session of a managed service's own role
 * does not count. */
static bool hides_rows(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->in_scope && connection->backend->kind == BACKEND_HIDDEN &&
			connection->verdict.protection != PROTECTION_SYSTEM)
			return true;
	}
	return false;
}

static bool was_answered(const struct assessment *assessment)
{
	return assessment->server.status == SERVER_OK && assessment->activity &&
		assessment->sources[SOURCE_ACTIVITY].status == SOURCE_OK;
}

/* The status if there are no findings: whether everything could be seen. */
static int clean_if_seen(const struct assessment *assessment)
{
	return was_answered(assessment) && !hides_rows(assessment) ? CLEAN : CANNOT_TELL;
}

int exit_status_of_snapshot(const struct assessment *assessment)
{
	if (was_answered(assessment) && assessment->n_leaked > 0)
		return LEAKS;
	return clean_if_seen(assessment);
}

int exit_status_of_plan(const struct action *plan, const struct assessment *assessment)
{
	return plan->n_steps > 0 ? LEAKS : clean_if_seen(assessment);
}

int exit_status_of_result(const struct action *plan, const struct assessment *assessment)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected && action_result_survived(plan->steps[i].result))
			return LEAKS;
	return clean_if_seen(assessment);
}

int exit_status_of_emergency_plan(
	const struct emergency *emergency, const struct assessment *assessment)
{
	if (action_count_selected(&emergency->action) > 0 ||
		action_count_selected(emergency->gone) > 0)
		return LEAKS;
	return emergency->connected ? clean_if_seen(assessment) : CANNOT_TELL;
}

int exit_status_of_emergency(const struct emergency *emergency, const struct assessment *assessment)
{
	if (emergency->interrupted || emergency->n_left > 0)
		return LEAKS;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (action_result_survived(emergency->action.steps[i].result))
			return LEAKS;
	return emergency->counted < 0 ? CANNOT_TELL : clean_if_seen(assessment);
}
