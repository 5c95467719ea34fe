/* The words of the emergency. */
#include "model/emergency.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"

static const char *const phase_names[] = {
	[EMERGENCY_PLANNED] = "planned",
	[EMERGENCY_FREEING] = "freeing a slot",
	[EMERGENCY_STOPPING] = "stopping",
	[EMERGENCY_ENDING] = "ending sessions",
	[EMERGENCY_COUNTING] = "counting",
	[EMERGENCY_DONE] = "done",
};

void emergency_free(struct emergency *emergency)
{
	if (!emergency)
		return;
	for (size_t i = 0; i < emergency->n_rounds; i++)
		action_free(emergency->rounds[i]);
	action_free(emergency->gone);
	action_free(emergency->held);
	arena_free(emergency->action.arena);
}

struct action_step *emergency_find(
	const struct emergency *emergency, int32_t pid, uint64_t start_ticks)
{
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].pid == pid &&
			emergency->action.steps[i].process.start_ticks == start_ticks)
			return &emergency->action.steps[i];
	return NULL;
}

/* Appends "N ones" unless there is none. */
static void add_count(
	char text[static EMERGENCY_LOSES_MAX], int count, const char *one, const char *many)
{
	size_t length = strlen(text);
	if (count > 0)
		snprintf(text + length, EMERGENCY_LOSES_MAX - length, "%s%d %s", length ? ", " : "",
			count, count == 1 ? one : many);
}

char *emergency_loses(const struct emergency *emergency, const struct action_step *step,
	char text[static EMERGENCY_LOSES_MAX])
{
	int transactions = 0, statements = 0, locks = 0, waiters = 0;
	text[0] = '\0';
	for (size_t i = 0; emergency->held && i < emergency->held->n_steps; i++) {
		const struct action_step *held = &emergency->held->steps[i];
		if (held->session.process_pid != step->pid)
			continue;
		transactions += held->session.state == BACKEND_STATE_IN_TRANSACTION;
		statements += held->session.state == BACKEND_STATE_ACTIVE ||
			held->session.state == BACKEND_STATE_FASTPATH;
		locks += held->session.locks > 0 ? held->session.locks : 0;
		waiters += held->session.waiters > 0 ? held->session.waiters : 0;
	}
	add_count(text, transactions, "open transaction", "open transactions");
	add_count(text, statements, "running statement", "running statements");
	add_count(text, locks, "lock", "locks");
	add_count(text, waiters, "waits", "wait");
	return text;
}

static void set_ticked(struct action_step *step, bool ticked)
{
	step->selected = ticked;
	step->process.skip = ticked ? SKIP_NONE : SKIP_UNTICKED;
}

static bool can_be_ticked(const struct action_step *step)
{
	return step->process.skip == SKIP_NONE || step->process.skip == SKIP_UNTICKED;
}

bool emergency_tick(struct emergency *emergency, size_t process)
{
	struct action_step *step = &emergency->action.steps[process];
	if (!can_be_ticked(step))
		return false;
	set_ticked(step, !step->selected);
	return true;
}

void emergency_tick_all(struct emergency *emergency)
{
	bool all = true;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		all = all && emergency->action.steps[i].process.skip != SKIP_UNTICKED;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (can_be_ticked(&emergency->action.steps[i]))
			set_ticked(&emergency->action.steps[i], !all);
	for (size_t i = 0; i < emergency->gone->n_steps; i++)
		emergency->gone->steps[i].selected = !all;
	emergency->only_named = all;
}

void emergency_untick(struct emergency *emergency)
{
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (can_be_ticked(&emergency->action.steps[i]))
			set_ticked(&emergency->action.steps[i], false);
	for (size_t i = 0; i < emergency->gone->n_steps; i++)
		emergency->gone->steps[i].selected = false;
	emergency->only_named = true;
}

char *emergency_ticked(const struct emergency *emergency, char text[static EMERGENCY_TICKED_MAX])
{
	const struct action_step *one = NULL;
	size_t ticked = 0, all = 0;
	for (size_t i = 0; i < emergency->action.n_steps; i++) {
		const struct action_step *step = &emergency->action.steps[i];
		all += can_be_ticked(step);
		ticked += step->selected;
		one = step->selected ? step : one;
	}
	text[0] = '\0';
	if (ticked == 0 && all > 0)
		snprintf(
			text, EMERGENCY_TICKED_MAX, "no process is ticked; Space ticks one, * all");
	else if (ticked == 1 && all > 1)
		snprintf(text, EMERGENCY_TICKED_MAX, "only %.80s (%d) is ticked; * ticks all %zu",
			one->process.name, one->pid, all);
	else if (ticked < all)
		snprintf(text, EMERGENCY_TICKED_MAX,
			"only %zu of %zu processes are ticked; * ticks all", ticked, all);
	return text;
}

size_t emergency_count_connections(const struct emergency *emergency)
{
	size_t count = 0;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].selected)
			count += emergency->action.steps[i].process.connections;
	return count;
}

static bool is_named_after(
	const struct emergency *emergency, size_t round, const struct action_step *step)
{
	for (round++; round < emergency->n_rounds; round++) {
		const struct action *plan = emergency->rounds[round];
		for (size_t i = 0; i < plan->n_steps; i++)
			if (plan->steps[i].pid == step->pid &&
				plan->steps[i].session.backend_start == step->session.backend_start)
				return true;
	}
	return false;
}

void emergency_each_session(const struct emergency *emergency,
	void (*each)(void *data, const struct action_step *step), void *data)
{
	for (size_t round = 0; round < emergency->n_rounds; round++) {
		const struct action *plan = emergency->rounds[round];
		for (size_t i = 0; i < plan->n_steps; i++)
			if (!is_named_after(emergency, round, &plan->steps[i]))
				each(data, &plan->steps[i]);
	}
}

static void count_session(void *data, const struct action_step *step)
{
	size_t *counts = data;
	counts[0] += step->selected;
	counts[1] += step->selected && step->result == RESULT_TERMINATED;
}

void emergency_count_sessions(const struct emergency *emergency, size_t *ret_all, size_t *ret_ended)
{
	size_t counts[2] = { 0, 0 };
	emergency_each_session(emergency, count_session, counts);
	*ret_all = counts[0];
	*ret_ended = counts[1];
}

const char *emergency_phase_name(enum emergency_phase phase)
{
	return phase_names[phase];
}
