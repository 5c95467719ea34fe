/* Steps of one kind that can go on at the same time are begun together; a command waits for the
 * processes that it replaces. */
#include "action/runner.h"

#include <errno.h>
#include <stdlib.h>

#include "action/audit.h"
#include "action/execute.h"
#include "action/remove.h"
#include "action/start.h"
#include "action/stop.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "model/action.h"
#include "model/assessment.h"
#include "session/session.h"

struct runner {
	struct session *session;
	struct runner_options options;
	struct runner_callbacks callbacks;
	uv_timer_t *begin;
	struct executor *executor;
	struct stopper *stopper;
	struct starter *starter;
	struct remover *remover;
	struct action *action; /* NULL at rest */
	bool interrupted;
};

static struct action_step *next_pending(const struct action *action)
{
	for (size_t i = 0; i < action->n_steps; i++)
		if (action->steps[i].selected && action->steps[i].result == RESULT_PENDING)
			return &action->steps[i];
	return NULL;
}

static void on_changed(void *data, struct action_step *step);

static void set_result(struct runner *runner, struct action_step *step, enum action_result result,
	const char *detail)
{
	step->result = result;
	step->detail = detail;
	on_changed(runner, step);
}

/* The process that a command replaces and that has not ended; NULL. */
static const struct action_step *find_survivor(const struct action *action)
{
	for (size_t i = 0; i < action->n_steps; i++)
		if (action->steps[i].kind == STEP_PROCESS && action->steps[i].selected &&
			action->steps[i].result != RESULT_TERMINATED &&
			action->steps[i].result != RESULT_GONE)
			return &action->steps[i];
	return NULL;
}

static void begin_command(struct runner *runner, struct action_step *step)
{
	const struct action_step *old = find_survivor(runner->action);
	if (!old)
		start_begin(runner->starter, runner->action, step);
	else
		set_result(runner, step,
			old->result == RESULT_TIMEOUT ? RESULT_SURVIVED : old->result,
			arena_printf(runner->action->arena, "%s; nothing was started",
				old->detail ? old->detail : action_result_name(old->result)));
}

/* The callback comes last: it may begin with the next action, or free the runner. */
static void go_on(struct runner *runner)
{
	struct action_step *step = next_pending(runner->action);
	if (!step) {
		runner->action = NULL;
		runner->callbacks.done(runner->callbacks.data);
		return;
	}
	switch (step->kind) {
	case STEP_SESSION: execute_begin(runner->executor, runner->action); return;
	case STEP_PROCESS: stop_begin(runner->stopper, runner->action, step); return;
	case STEP_COMMAND: begin_command(runner, step); return;
	case STEP_PAGE: remove_begin(runner->remover, runner->action); return;
	}
}

static void on_begin(uv_timer_t *timer)
{
	go_on(timer->data);
}

static void on_changed(void *data, struct action_step *step)
{
	struct runner *runner = data;
	bool has_result = step->result != RESULT_PENDING;
	if (has_result && runner->options.audit)
		audit_step(runner->options.audit, runner->action, step, instant_now());
	if (runner->interrupted)
		return;
	if (runner->callbacks.progress)
		runner->callbacks.progress(runner->callbacks.data, step);
	/* sessions and pages are begun together: on_done() comes when all of them have a result */
	if (has_result && (step->kind == STEP_PROCESS || step->kind == STEP_COMMAND))
		go_on(runner);
}

static void on_done(void *data)
{
	go_on(data);
}

struct runner *runner_new(uv_loop_t *loop, struct session *session,
	const struct runner_options *options, const struct runner_callbacks *callbacks)
{
	struct runner *runner = mem_alloc(sizeof(*runner));
	const struct step_callbacks steps = { runner, on_changed, on_done };
	*runner = (struct runner){
		.session = session,
		.options = *options,
		.callbacks = *callbacks,
		.begin = handle_new_timer(loop, runner),
		.executor = execute_new(loop, session, options->deadline, &steps),
		.stopper = stop_new(loop, "/proc", &steps),
		.starter = start_new(loop, &steps),
		.remover = remove_new(loop, &steps),
	};
	return runner;
}

static bool needs_session(const struct action *action)
{
	return action->n_steps && action->steps[0].kind == STEP_SESSION;
}

int runner_begin(struct runner *runner, struct action *action)
{
	if (runner->options.readonly)
		return -EPERM;
	if (needs_session(action) && session_is_pooled(runner->session))
		return -ENOTSUP;
	if (runner->action)
		return -EBUSY;
	if (!action_count_selected(action))
		return -EINVAL;
	if (runner->options.audit) {
		int r = audit_begin(runner->options.audit, action, instant_now());
		if (r < 0)
			return r;
	}
	runner->action = action;
	uv_timer_start(runner->begin, on_begin, 0, 0);
	return 0;
}

const char *runner_refusal(int result)
{
	switch (result) {
	case -EPERM: return "read-only: no action is possible";
	case -ENOTSUP: return POOLER_REASON;
	case -EBUSY: return "still at work on the last plan";
	case -EINVAL: return "nothing is ticked";
	default: return NULL;
	}
}

bool runner_busy(const struct runner *runner)
{
	return runner->action != NULL;
}

/* What no executor has begun with. */
static void set_result_of_rest(struct runner *runner)
{
	for (struct action_step *step; (step = next_pending(runner->action));) {
		const struct action_step *old = find_survivor(runner->action);
		if (step->kind == STEP_SESSION)
			set_result(runner, step, RESULT_TIMEOUT, "interrupted: nothing was sent");
		else if (step->kind != STEP_COMMAND)
			set_result(runner, step, RESULT_TIMEOUT, "interrupted: nothing was done");
		else if (!old || !old->detail)
			set_result(runner, step, RESULT_FAILED, "interrupted: nothing was started");
		else
			set_result(runner, step, RESULT_SURVIVED,
				arena_printf(runner->action->arena,
					"%s, not yet seen gone; nothing was started", old->detail));
	}
}

void runner_interrupt(struct runner *runner)
{
	if (!runner->action)
		return;
	runner->interrupted = true;
	uv_timer_stop(runner->begin);
	execute_interrupt(runner->executor);
	stop_interrupt(runner->stopper);
	start_interrupt(runner->starter);
	remove_interrupt(runner->remover);
	set_result_of_rest(runner);
	runner->action = NULL;
}

void runner_free(struct runner *runner)
{
	if (!runner)
		return;
	runner_interrupt(runner);
	handle_close(runner->begin);
	execute_free(runner->executor);
	stop_free(runner->stopper);
	start_free(runner->starter);
	remove_free(runner->remover);
	free(runner);
}
