#include "action/emergency_chosen.h"

#include <stdbool.h>

#include "model/assessment.h"
#include "model/emergency.h"

struct emergency_chosen emergency_chosen_of(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *client = assessment_local_process(assessment, connection);
	return (struct emergency_chosen){
		.backend = connection->backend->pid,
		.backend_start = connection->backend->start,
		.pid = client ? client->process.pid : 0,
		.start_ticks = client ? client->process.start_ticks : 0,
	};
}

/* NULL: its process is not known, or not one of the plan. */
static const struct action_step *find(const struct emergency *emergency,
	const struct assessment *assessment, const struct emergency_chosen *chosen)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct emergency_chosen now =
			emergency_chosen_of(assessment, &assessment->connections[i]);
		if (now.pid && now.backend == chosen->backend &&
			now.backend_start == chosen->backend_start)
			return emergency_find(emergency, now.pid, now.start_ticks);
	}
	return chosen->pid ? emergency_find(emergency, chosen->pid, chosen->start_ticks) : NULL;
}

void emergency_chosen_tick(struct emergency *emergency, const struct assessment *assessment,
	const struct emergency_chosen *chosen, size_t n_chosen)
{
	bool unticked = false;
	for (size_t i = 0; i < n_chosen; i++) {
		const struct action_step *step = find(emergency, assessment, &chosen[i]);
		if (!step ||
			(step->process.skip != SKIP_NONE && step->process.skip != SKIP_UNTICKED))
			continue;
		if (!unticked)
			emergency_untick(emergency);
		unticked = true;
		/* several sessions may be of one process */
		if (!step->selected)
			emergency_tick(emergency, (size_t)(step - emergency->action.steps));
	}
}
