/* The guard between a plan and its execution. */
#include "action/guard.h"

#include <stdio.h>

#include "base/instant.h"
#include "model/action.h"
#include "model/assessment.h"

static size_t recent(const struct guard_history *history, int64_t now)
{
	size_t sum = 0;
	for (size_t i = 0; i < GUARD_WINDOW; i++)
		if (now / USEC_PER_SEC - history->second[i] < GUARD_WINDOW)
			sum += history->count[i];
	return sum;
}

static struct guard_answer refuse(const char *why)
{
	struct guard_answer answer = { .verdict = GUARD_REFUSE };
	snprintf(answer.why, sizeof(answer.why), "%s", why);
	return answer;
}

struct guard_answer guard_check(const struct action *plan, const struct guard_limits *limits,
	const struct guard_history *history, int64_t now)
{
	if (limits->readonly)
		return refuse("read-only: no action is possible");
	if (limits->pooler)
		return refuse(POOLER_REASON);
	size_t selected = action_count_selected(plan);
	if (selected == 0)
		return refuse(plan->n_steps ? "nothing is ticked" : "nothing to do");

	struct guard_answer answer = { .verdict = GUARD_ALLOW };
	size_t ended = recent(history, now);
	bool ends = plan->kind == ACTION_KILL_LEAKED || plan->kind == ACTION_TERMINATE ||
		plan->kind == ACTION_EMERGENCY;
	if (ends && limits->per_minute > 0 && ended + selected > (size_t)limits->per_minute) {
		answer.verdict = GUARD_CONFIRM;
		snprintf(answer.why, sizeof(answer.why),
			"%zu sessions would be ended within a minute, the limit is %d",
			ended + selected, limits->per_minute);
	}
	return answer;
}

size_t guard_room(
	const struct guard_limits *limits, const struct guard_history *history, int64_t now)
{
	if (limits->per_minute <= 0)
		return SIZE_MAX;
	size_t ended = recent(history, now), limit = (size_t)limits->per_minute;
	return ended < limit ? limit - ended : 0;
}

void guard_note(struct guard_history *history, size_t n, int64_t now)
{
	int64_t second = now / USEC_PER_SEC;
	size_t i = (size_t)second % GUARD_WINDOW;
	if (history->second[i] != second) {
		history->second[i] = second;
		history->count[i] = 0;
	}
	history->count[i] += n;
}
