/* A row for each session and process that is left, with what became of it. */
#include "action/emergency_left.h"

#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/emergency.h"

const struct action_step *emergency_left_last_result(
	const struct emergency *emergency, const struct action_step *step)
{
	for (size_t round = emergency->n_rounds; round-- > 0;) {
		const struct action *plan = emergency->rounds[round];
		for (size_t i = 0; i < plan->n_steps; i++)
			if (plan->steps[i].pid == step->pid &&
				plan->steps[i].session.backend_start == step->session.backend_start)
				return &plan->steps[i];
	}
	return NULL;
}

static void add_left(struct emergency *emergency, const struct emergency_left *left)
{
	emergency->left[emergency->n_left++] = *left;
}

static void leave_session(struct emergency *emergency, const struct action_step *step)
{
	const struct action_step *before = emergency_left_last_result(emergency, step);
	const char *why = "there was no time left to end it";
	if (before && before->detail)
		why = before->detail;
	else if (before)
		why = action_result_name(before->result);
	add_left(emergency,
		&(struct emergency_left){
			.backend = step->pid,
			.process_pid = step->session.process_pid,
			.name = arena_strdup(
				emergency->action.arena, step->session.application_name),
			.connections = 1,
			.why = arena_strdup(emergency->action.arena, why),
		});
}

static bool has_ended(const struct action_step *step)
{
	return step->result == RESULT_TERMINATED || step->result == RESULT_GONE;
}

/* One that was stopped had the same service, or the same parent: it was started again. 1 is the
 * parent of processes whose own parent has ended. */
static const char *why_again(struct emergency *emergency, const struct action_step *step)
{
	const char *unit = step->process.unit;
	bool is_service = unit && step->process.systemctl && strlen(unit) > 8 &&
		strcmp(unit + strlen(unit) - 8, ".service") == 0;
	for (size_t i = 0; i < emergency->action.n_steps; i++) {
		const struct action_step *stopped = &emergency->action.steps[i];
		if (!has_ended(stopped))
			continue;
		if (step->process.parent > 1 && step->process.parent == stopped->process.parent)
			return arena_printf(emergency->action.arena,
				"%s (process %d) started it again: stop that one first",
				step->process.parent_name ? step->process.parent_name
							  : "its parent",
				step->process.parent);
		if (is_service && stopped->process.unit && strcmp(unit, stopped->process.unit) == 0)
			return arena_printf(emergency->action.arena,
				"it was started again: %s stop %s prevents that",
				step->process.systemctl,
				text_shell_word(emergency->action.arena, unit));
	}
	return is_service
		? arena_printf(emergency->action.arena,
			  "it has connected since the plan was made; %s stop %s "
			  "prevents that",
			  step->process.systemctl, text_shell_word(emergency->action.arena, unit))
		: "it has connected since the plan was made";
}

static const char *why_left(struct emergency *emergency, const struct action_step *step)
{
	const struct action_step *planned =
		emergency_find(emergency, step->pid, step->process.start_ticks);
	if (planned && planned->detail)
		return planned->detail;
	if (planned)
		return "it was not stopped";
	return why_again(emergency, step);
}

static bool is_listed(const struct emergency *emergency, int32_t process_pid)
{
	for (size_t i = 0; i < emergency->n_left; i++)
		if (emergency->left[i].process_pid == process_pid)
			return true;
	return false;
}

/* One that the application still holds, or came back with; those whose sessions the server reports
 * are listed by these. */
static bool leave_process(struct emergency *emergency, const struct action_step *step)
{
	const struct action_step *planned =
		emergency_find(emergency, step->pid, step->process.start_ticks);
	/* a process that was not named does not matter here */
	if (!planned && emergency->only_named)
		return false;
	/* the scan is older than its end, which was seen */
	if (planned && has_ended(planned))
		return false;
	if (!(planned ? planned : step)->selected || is_listed(emergency, step->pid))
		return false;
	add_left(emergency,
		&(struct emergency_left){
			.process_pid = step->pid,
			.name = arena_strdup(emergency->action.arena,
				step->process.command ? step->process.command : step->process.name),
			.connections = step->process.connections,
			.why = why_left(emergency, step),
		});
	return true;
}

/* Sessions that exist, although dbtop cannot see which they are. */
static void leave_unseen(struct emergency *emergency, size_t unseen)
{
	if (!unseen)
		return;
	add_left(emergency,
		&(struct emergency_left){
			.name = "sessions whose client is gone",
			.connections = (uint32_t)unseen,
			.why = "this user cannot see their processes: K ends them, or dbtop as "
			       "root",
		});
}

void emergency_left_count(struct emergency *emergency, const struct emergency *fresh,
	const struct action *sessions, size_t unseen)
{
	size_t n_sessions = fresh->connected ? sessions->n_steps : 0;
	emergency->left = arena_array(emergency->action.arena,
		n_sessions + fresh->action.n_steps + 1, sizeof(*emergency->left));
	int counted = (int)(n_sessions + unseen);
	leave_unseen(emergency, unseen);
	for (size_t i = 0; i < n_sessions; i++)
		leave_session(emergency, &sessions->steps[i]);
	for (size_t i = 0; i < fresh->action.n_steps; i++)
		if (leave_process(emergency, &fresh->action.steps[i]))
			counted += (int)fresh->action.steps[i].process.connections;
	emergency->counted = fresh->connected ? counted : -1;
}
