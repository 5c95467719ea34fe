/* The executor's phases: starting → signalling (→ asking why) → pausing ⇄ probing → done.
 *
 * One timer serves them all: in a phase that waits for an answer it is the deadline. A statement
 * that is not answered in time is forgotten, so that nothing of it is sent later, when the plan is
 * no longer true. */
#include "action/execute.h"

#include <errno.h>
#include <stdlib.h>

#include "action/act.h"
#include "action/audit.h"
#include "action/plan.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"

/* A session leaves within a few milliseconds; from then on it is asked for less often. */
#define FIRST_PAUSE_MS 5
#define LAST_PAUSE_MS  50

enum phase {
	PHASE_RESTING,
	PHASE_STARTING,
	PHASE_SIGNALLING,
	PHASE_ASKING_WHY,
	PHASE_PAUSING,
	PHASE_PROBING,
};

struct executor {
	struct session *session;
	struct execute_options options;
	struct execute_callbacks callbacks;
	uv_timer_t timer;

	enum phase phase;
	struct action *plan;
	bool *present;      /* one a target: what the last probe saw */
	size_t current;     /* the target being signalled */
	bool probed;        /* a probe was answered */
	int64_t give_up_at; /* monotonic: probing ends */
	uint64_t pause;     /* ms before the next probe */
};

static void signal_next(struct executor *executor);
static void probe(struct executor *executor);

static void on_timer(uv_timer_t *timer);

static void enter(struct executor *executor, enum phase phase, uint64_t timeout_ms)
{
	executor->phase = phase;
	uv_timer_start(&executor->timer, on_timer, timeout_ms, 0);
}

static uint64_t answer_timeout(const struct executor *executor)
{
	return (uint64_t)(executor->options.deadline / USEC_PER_MSEC);
}

static struct action_step *current_step(struct executor *executor)
{
	return &executor->plan->steps[executor->current];
}

static void record(struct executor *executor, struct action_step *step, enum action_result result,
	const char *detail)
{
	step->result = result;
	if (detail)
		step->detail = detail;
	if (executor->options.audit)
		audit_result(executor->options.audit, executor->plan, step, instant_now());
}

static void settle(struct executor *executor, struct action_step *step, enum action_result result,
	const char *detail)
{
	record(executor, step, result, detail);
	if (executor->callbacks.progress)
		executor->callbacks.progress(executor->callbacks.data);
}

/* Every selected target without a result gets this one. */
static void settle_rest(struct executor *executor, size_t from, const char *detail)
{
	for (size_t i = from; i < executor->plan->n_steps; i++) {
		struct action_step *step = &executor->plan->steps[i];
		if (step->selected && step->result == RESULT_PENDING)
			settle(executor, step, RESULT_TIMEOUT, detail);
	}
}

static void rest(struct executor *executor)
{
	uv_timer_stop(&executor->timer);
	free(executor->present);
	executor->present = NULL;
	executor->plan = NULL;
	executor->phase = PHASE_RESTING;
}

/* The callback comes last: it may run the next plan, or free us. */
static void finish(struct executor *executor)
{
	rest(executor);
	executor->callbacks.done(executor->callbacks.data);
}

static bool is_pending(const struct action *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected && plan->steps[i].result == RESULT_PENDING)
			return true;
	return false;
}

static void begin_probing(struct executor *executor)
{
	if (!is_pending(executor->plan)) {
		finish(executor);
		return;
	}
	executor->probed = false;
	executor->give_up_at = instant_monotonic() + executor->options.deadline;
	executor->pause = FIRST_PAUSE_MS;
	enter(executor, PHASE_PAUSING, executor->pause);
}

static void on_why(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct executor *executor = data;
	settle(executor, current_step(executor), RESULT_DENIED,
		act_read_why(result, executor->plan->arena));
	executor->current++;
	signal_next(executor);
}

static void ask_why(struct executor *executor)
{
	enter(executor, PHASE_ASKING_WHY, answer_timeout(executor));
	if (!act_ask_why(executor->session, current_step(executor), on_why, executor))
		on_why(executor, NULL, INSTANT_UNKNOWN);
}

static void on_signalled(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct executor *executor = data;
	struct action_step *step = current_step(executor);
	enum action_result outcome = act_read_signal(result, executor->plan->arena, step);
	if (outcome == RESULT_DENIED && !step->detail) {
		ask_why(executor);
		return;
	}
	if (outcome != RESULT_PENDING)
		settle(executor, step, outcome, NULL);
	executor->current++;
	signal_next(executor);
}

/* A connection that is lost in the call answers before it returns. */
static void signal_next(struct executor *executor)
{
	const struct action *plan = executor->plan;
	for (; executor->current < plan->n_steps; executor->current++) {
		struct action_step *step = current_step(executor);
		if (!step->selected)
			continue;
		/* a connection that came back may lead through one */
		if (session_is_pooled(executor->session)) {
			settle(executor, step, RESULT_DENIED, POOLER_REASON);
			continue;
		}
		enter(executor, PHASE_SIGNALLING, answer_timeout(executor));
		if (act_signal(executor->session, plan->kind, step, on_signalled, executor))
			return;
		settle(executor, step, RESULT_TIMEOUT, "not connected: nothing was sent");
	}
	begin_probing(executor);
}

static void give_up_probing(struct executor *executor)
{
	session_forget(executor->session, executor);
	settle_rest(executor, 0,
		executor->probed ? "signalled, but still there after the deadline"
				 : "signalled, but the server did not tell whether it is gone");
	finish(executor);
}

static void pause_probing(struct executor *executor)
{
	if (!is_pending(executor->plan)) {
		finish(executor);
	} else if (instant_monotonic() >= executor->give_up_at) {
		give_up_probing(executor);
	} else {
		executor->pause *= 2;
		if (executor->pause > LAST_PAUSE_MS)
			executor->pause = LAST_PAUSE_MS;
		enter(executor, PHASE_PAUSING, executor->pause);
	}
}

static void settle_absent(struct executor *executor)
{
	struct action *plan = executor->plan;
	enum action_result done =
		plan->kind == ACTION_CANCEL ? RESULT_CANCELLED : RESULT_TERMINATED;
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct action_step *step = &plan->steps[i];
		if (step->selected && step->result == RESULT_PENDING && !executor->present[i])
			settle(executor, step, done, NULL);
	}
}

static void on_probe(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct executor *executor = data;
	if (act_read_probe(result, executor->plan, executor->present)) {
		executor->probed = true;
		settle_absent(executor);
	}
	pause_probing(executor);
}

static void probe(struct executor *executor)
{
	int64_t left = executor->give_up_at - instant_monotonic();
	enter(executor, PHASE_PROBING, left > 0 ? (uint64_t)(left / USEC_PER_MSEC) : 0);
	/* lost for the moment: it comes back, or the deadline comes */
	if (!act_probe(executor->session, executor->plan, on_probe, executor))
		pause_probing(executor);
}

static void give_up_signalling(struct executor *executor)
{
	session_forget(executor->session, executor);
	struct action_step *step = current_step(executor);
	settle(executor, step, RESULT_TIMEOUT, "the server did not answer");
	settle_rest(executor, executor->current + 1, "the server did not answer: nothing was sent");
	begin_probing(executor);
}

static void give_up_asking_why(struct executor *executor)
{
	session_forget(executor->session, executor);
	on_why(executor, NULL, INSTANT_UNKNOWN);
}

static void (*const timer_steps[])(struct executor *executor) = {
	[PHASE_STARTING] = signal_next,
	[PHASE_SIGNALLING] = give_up_signalling,
	[PHASE_ASKING_WHY] = give_up_asking_why,
	[PHASE_PAUSING] = probe,
	[PHASE_PROBING] = give_up_probing,
};

static void on_timer(uv_timer_t *timer)
{
	struct executor *executor = timer->data;
	timer_steps[executor->phase](executor);
}

struct executor *execute_new(uv_loop_t *loop, struct session *session,
	const struct execute_options *options, const struct execute_callbacks *callbacks)
{
	struct executor *executor = mem_alloc(sizeof(*executor));
	*executor = (struct executor){
		.session = session,
		.options = *options,
		.callbacks = *callbacks,
		.phase = PHASE_RESTING,
	};
	uv_timer_init(loop, &executor->timer);
	executor->timer.data = executor;
	return executor;
}

int execute_run(struct executor *executor, struct action *plan)
{
	if (executor->options.readonly)
		return -EPERM;
	if (session_is_pooled(executor->session))
		return -ENOTSUP;
	if (executor->phase != PHASE_RESTING)
		return -EBUSY;
	if (plan_count_selected(plan) == 0)
		return -EINVAL;
	if (executor->options.audit) {
		audit_action(executor->options.audit, plan, instant_now());
		if (audit_error(executor->options.audit) && !plan->unaudited)
			return -EIO;
	}
	executor->plan = plan;
	executor->current = 0;
	executor->present = mem_alloc(plan->n_steps * sizeof(*executor->present));
	enter(executor, PHASE_STARTING, 0);
	return 0;
}

bool execute_busy(const struct executor *executor)
{
	return executor->phase != PHASE_RESTING;
}

static void record_interrupted(struct executor *executor, size_t i)
{
	struct action_step *step = &executor->plan->steps[i];
	bool is_current = i == executor->current;
	if (is_current && executor->phase == PHASE_ASKING_WHY)
		record(executor, step, RESULT_DENIED, act_read_why(NULL, executor->plan->arena));
	else if (is_current && executor->phase == PHASE_SIGNALLING)
		record(executor, step, RESULT_TIMEOUT, "interrupted before the server answered");
	else if (i >= executor->current)
		record(executor, step, RESULT_TIMEOUT, "interrupted: nothing was sent");
	else
		record(executor, step, RESULT_TIMEOUT, "interrupted: signalled, not yet seen gone");
}

void execute_interrupt(struct executor *executor)
{
	if (!execute_busy(executor))
		return;
	session_forget(executor->session, executor);
	for (size_t i = 0; i < executor->plan->n_steps; i++)
		if (executor->plan->steps[i].selected &&
			executor->plan->steps[i].result == RESULT_PENDING)
			record_interrupted(executor, i);
	rest(executor);
}

static void free_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void execute_free(struct executor *executor)
{
	if (!executor)
		return;
	execute_interrupt(executor);
	uv_close((uv_handle_t *)&executor->timer, free_closed);
}
