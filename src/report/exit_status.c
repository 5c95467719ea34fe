/* Maps outcomes to exit statuses. */
#include "report/exit_status.h"

#include "model/action.h"
#include "model/assessment.h"
#include "model/emergency.h"

enum { CLEAN = 0, LEAKS = 1, CANNOT_TELL = 3 };

/* The status if there are no findings. */
static int clean_if_seen(const struct assessment *assessment, enum certainty least)
{
	return findings_blindness(assessment, least) == BLIND_NOT ? CLEAN : CANNOT_TELL;
}

int exit_status_of_snapshot(
	const struct assessment *assessment, const struct findings_limits *limits)
{
	enum room room = findings_room(assessment, limits->min_free);
	if (findings_has_no_rows(assessment))
		return CANNOT_TELL;
	if (findings_count_leaked(assessment, limits->least) > 0 || room == ROOM_TOO_LITTLE)
		return LEAKS;
	return room == ROOM_UNKNOWN ? CANNOT_TELL : clean_if_seen(assessment, limits->least);
}

int exit_status_join(int a, int b)
{
	if (a == LEAKS || b == LEAKS)
		return LEAKS;
	return a == CLEAN ? b : a;
}

int exit_status_of_plan(const struct action *plan, const struct assessment *assessment,
	const struct findings_limits *limits)
{
	return plan->n_steps > 0 ? LEAKS : clean_if_seen(assessment, limits->least);
}

int exit_status_of_result(const struct action *plan, const struct assessment *assessment,
	const struct findings_limits *limits)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected && action_result_survived(plan->steps[i].result))
			return LEAKS;
	return clean_if_seen(assessment, limits->least);
}

/* Leaks do not count for an emergency, which stops processes. */
static int stopped_if_seen(const struct assessment *assessment)
{
	if (findings_count_without_process(assessment) > 0)
		return CANNOT_TELL;
	return clean_if_seen(assessment, CERTAINTY_NONE);
}

int exit_status_of_emergency_plan(
	const struct emergency *emergency, const struct assessment *assessment)
{
	if (action_count_selected(&emergency->action) > 0 ||
		action_count_selected(emergency->gone) > 0)
		return LEAKS;
	return emergency->connected ? stopped_if_seen(assessment) : CANNOT_TELL;
}

int exit_status_of_emergency(const struct emergency *emergency, const struct assessment *assessment)
{
	if (emergency->interrupted || emergency->n_left > 0)
		return LEAKS;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (action_result_survived(emergency->action.steps[i].result))
			return LEAKS;
	return emergency->counted < 0 ? CANNOT_TELL : stopped_if_seen(assessment);
}
