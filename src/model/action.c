/* The words of actions and their results. */
#include "model/action.h"

#include "base/arena.h"

static const char *const kind_names[] = {
	[ACTION_KILL_LEAKED] = "kill_leaked",
	[ACTION_TERMINATE] = "terminate",
	[ACTION_CANCEL] = "cancel",
	[ACTION_EMERGENCY] = "emergency",
};

static const char *const result_names[] = {
	[RESULT_PENDING] = "pending",
	[RESULT_TERMINATED] = "terminated",
	[RESULT_GONE] = "gone",
	[RESULT_CHANGED] = "changed",
	[RESULT_DENIED] = "denied",
	[RESULT_TIMEOUT] = "timeout",
	[RESULT_CANCELLED] = "cancelled",
};

void action_free(struct action *plan)
{
	if (plan)
		arena_free(plan->arena);
}

const char *action_kind_name(enum action_kind kind)
{
	return kind_names[kind];
}

const char *action_result_name(enum action_result result)
{
	return result_names[result];
}

bool action_result_survived(enum action_result result)
{
	return result == RESULT_DENIED || result == RESULT_TIMEOUT;
}
