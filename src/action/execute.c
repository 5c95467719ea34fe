/* The executor's phases: signalling (→ asking why) → pausing ⇄ probing → done.
 *
 * One timer serves them all: in a phase that waits for an answer it is the deadline. A statement
 * that is not answered in time is forgotten, so that nothing of it is sent later, when the plan is
 * no longer true. */
#include "action/execute.h"

#include <errno.h>
#include <stdlib.h>

#include "action/act.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"

/* A session leaves within a few milliseconds; from then on it is asked for less often. */
#define FIRST_PAUSE_MS 5
#define LAST_PAUSE_MS  50
/* So often a slow server is asked to check and signal a target. */
#define CHANCES 10
/* Before a plan's first target the statement is rehearsed. */
#define CHANCES_OF_FIRST (CHANCES + 1)

enum phase {
	PHASE_RESTING,
	PHASE_SIGNALLING,
	PHASE_ASKING_WHY,
	PHASE_PAUSING,
	PHASE_PROBING,
};

struct executor {
	struct session *session;
	int64_t deadline; /* µs */
	struct step_callbacks callbacks;
	uv_timer_t timer;

	enum phase phase;
	struct action *action;
	bool *present;      /* one a target: what the last probe saw */
	size_t current;     /* the target being signalled */
	int chances;        /* that are left for it */
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
	uv_timer_start(&executor->timer, on_timer, timeout_ms, phase != PHASE_PAUSING);
}

static uint64_t answer_timeout(const struct executor *executor)
{
	return (uint64_t)(executor->deadline / USEC_PER_MSEC);
}

static struct action_step *current_step(struct executor *executor)
{
	return &executor->action->steps[executor->current];
}

static void set_result(struct executor *executor, struct action_step *step,
	enum action_result result, const char *detail)
{
	step->result = result;
	if (detail)
		step->detail = detail;
	executor->callbacks.changed(executor->callbacks.data, step);
}

/* Every selected target without a result gets this one. */
static void set_result_of_rest(struct executor *executor, size_t from, const char *detail)
{
	for (size_t i = from; i < executor->action->n_steps; i++) {
		struct action_step *step = &executor->action->steps[i];
		if (step->selected && step->result == RESULT_PENDING)
			set_result(executor, step, RESULT_TIMEOUT, detail);
	}
}

static void rest(struct executor *executor)
{
	uv_timer_stop(&executor->timer);
	free(executor->present);
	executor->present = NULL;
	executor->action = NULL;
	executor->phase = PHASE_RESTING;
}

/* The callback comes last: it may run the next plan, or free us. */
static void finish(struct executor *executor)
{
	rest(executor);
	executor->callbacks.done(executor->callbacks.data);
}

static void begin_probing(struct executor *executor)
{
	if (!action_count(executor->action, RESULT_PENDING)) {
		finish(executor);
		return;
	}
	executor->probed = false;
	executor->give_up_at = instant_monotonic() + executor->deadline;
	executor->pause = FIRST_PAUSE_MS;
	enter(executor, PHASE_PAUSING, executor->pause);
}

static void go_on(struct executor *executor)
{
	executor->current++;
	executor->chances = CHANCES;
	signal_next(executor);
}

static void on_why(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct executor *executor = data;
	set_result(executor, current_step(executor), RESULT_DENIED,
		act_read_why(result, executor->action->arena));
	go_on(executor);
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
	if (act_was_slow(result)) {
		executor->chances--;
		signal_next(executor);
		return;
	}
	enum action_result outcome = act_read_signal(result, executor->action->arena, step);
	if (outcome == RESULT_DENIED && !step->detail) {
		ask_why(executor);
		return;
	}
	if (outcome != RESULT_PENDING)
		set_result(executor, step, outcome, NULL);
	go_on(executor);
}

static enum act_attempt next_attempt(const struct executor *executor)
{
	if (executor->chances > CHANCES)
		return ACT_REHEARSE;
	return executor->chances > 1 ? ACT_IF_QUICK : ACT_ANYHOW;
}

/* A connection that is lost in the call answers before it returns. */
static void signal_next(struct executor *executor)
{
	const struct action *plan = executor->action;
	for (; executor->current < plan->n_steps; executor->current++) {
		struct action_step *step = current_step(executor);
		if (!step->selected)
			continue;
		/* a connection that came back may lead through one */
		if (session_is_pooled(executor->session)) {
			set_result(executor, step, RESULT_DENIED, POOLER_REASON);
			continue;
		}
		enter(executor, PHASE_SIGNALLING, answer_timeout(executor));
		if (act_signal(executor->session, plan->kind, step, next_attempt(executor),
			    on_signalled, executor))
			return;
		set_result(executor, step, RESULT_TIMEOUT, "not connected: nothing was sent");
	}
	begin_probing(executor);
}

static void give_up_probing(struct executor *executor)
{
	session_forget(executor->session, executor);
	set_result_of_rest(executor, 0,
		executor->probed ? "signalled, but still there after the deadline"
				 : "signalled, but the server did not say whether it is gone");
	finish(executor);
}

static void pause_probing(struct executor *executor)
{
	if (!action_count(executor->action, RESULT_PENDING)) {
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

static void set_result_of_absent(struct executor *executor)
{
	struct action *plan = executor->action;
	enum action_result done =
		plan->kind == ACTION_CANCEL ? RESULT_CANCELLED : RESULT_TERMINATED;
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct action_step *step = &plan->steps[i];
		if (step->selected && step->result == RESULT_PENDING && !executor->present[i])
			set_result(executor, step, done, NULL);
	}
}

static void on_probe(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct executor *executor = data;
	if (act_read_probe(result, executor->action, executor->present)) {
		executor->probed = true;
		set_result_of_absent(executor);
	}
	pause_probing(executor);
}

static void probe(struct executor *executor)
{
	int64_t left = executor->give_up_at - instant_monotonic();
	enter(executor, PHASE_PROBING, left > 0 ? (uint64_t)(left / USEC_PER_MSEC) : 0);
	/* lost for the moment: it comes back, or the deadline comes */
	if (!act_probe(executor->session, executor->action, on_probe, executor))
		pause_probing(executor);
}

static void give_up_signalling(struct executor *executor)
{
	session_forget(executor->session, executor);
	struct action_step *step = current_step(executor);
	set_result(executor, step, RESULT_TIMEOUT, "the server did not answer");
	set_result_of_rest(
		executor, executor->current + 1, "the server did not answer: nothing was sent");
	begin_probing(executor);
}

static void give_up_asking_why(struct executor *executor)
{
	session_forget(executor->session, executor);
	on_why(executor, NULL, INSTANT_UNKNOWN);
}

static void (*const timer_steps[])(struct executor *executor) = {
	[PHASE_SIGNALLING] = give_up_signalling,
	[PHASE_ASKING_WHY] = give_up_asking_why,
	[PHASE_PAUSING] = probe,
	[PHASE_PROBING] = give_up_probing,
};

static void on_timer(uv_timer_t *timer)
{
	struct executor *executor = timer->data;
	/* The loop runs timers before it reads: it reads once more before an answer is given up. */
	if (uv_timer_get_repeat(timer)) {
		uv_timer_set_repeat(timer, 0);
		return;
	}
	timer_steps[executor->phase](executor);
}

struct executor *execute_new(uv_loop_t *loop, struct session *session, int64_t deadline,
	const struct step_callbacks *callbacks)
{
	struct executor *executor = mem_alloc(sizeof(*executor));
	*executor = (struct executor){
		.session = session,
		.deadline = deadline,
		.callbacks = *callbacks,
		.phase = PHASE_RESTING,
	};
	uv_timer_init(loop, &executor->timer);
	executor->timer.data = executor;
	return executor;
}

void execute_begin(struct executor *executor, struct action *action)
{
	executor->action = action;
	executor->current = 0;
	executor->chances = CHANCES_OF_FIRST;
	executor->present = mem_alloc(action->n_steps * sizeof(*executor->present));
	signal_next(executor);
}

static void set_interrupted(struct executor *executor, size_t i)
{
	struct action_step *step = &executor->action->steps[i];
	bool is_current = i == executor->current;
	if (is_current && executor->phase == PHASE_ASKING_WHY)
		set_result(
			executor, step, RESULT_DENIED, act_read_why(NULL, executor->action->arena));
	else if (is_current && executor->phase == PHASE_SIGNALLING)
		set_result(
			executor, step, RESULT_TIMEOUT, "interrupted before the server answered");
	else if (i >= executor->current)
		set_result(executor, step, RESULT_TIMEOUT, "interrupted: nothing was sent");
	else
		set_result(executor, step, RESULT_TIMEOUT,
			"interrupted: signalled, not yet seen gone");
}

void execute_interrupt(struct executor *executor)
{
	if (executor->phase == PHASE_RESTING)
		return;
	session_forget(executor->session, executor);
	for (size_t i = 0; i < executor->action->n_steps; i++)
		if (executor->action->steps[i].selected &&
			executor->action->steps[i].result == RESULT_PENDING)
			set_interrupted(executor, i);
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
