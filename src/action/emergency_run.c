/* The phases of an emergency. One timer drives them; in each an assessment may be awaited.
 *
 * The runner does not carry out the processes' steps: it goes from step to step, while here the
 * next step depends on a new assessment and on whether a slot has become free, and several
 * processes end at the same time. The sessions' steps are the runner's. */
#include "action/emergency_run.h"

#include <errno.h>
#include <stdlib.h>

#include "action/audit.h"
#include "action/emergency_left.h"
#include "action/emergency_plan.h"
#include "action/runner.h"
#include "action/stop.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "model/findings.h"
#include "session/session.h"

#define TICK_MS 25

/* On a full server: how long one process is waited for before the next one is stopped, too. */
#define NEXT_PROCESS (USEC_PER_SEC)
/* How often dbtop tries to connect: each attempt is a line in the server's log. It tries more often
 * just after a process has ended, before a supervisor starts it again and takes the slot. */
#define RETRY_EVERY   (USEC_PER_SEC / 4)
#define RETRY_AT_ONCE (USEC_PER_SEC / 40)
#define SLOT_IS_FREE  (USEC_PER_SEC / 4)
/* How long a slot may take to come free, or a backend to leave, after the last process ended. */
#define LAST_WAIT (5 * USEC_PER_SEC)
/* An idle backend ends by itself soon after its client: it need not be ended. */
#define END_WAIT   (USEC_PER_SEC / 2)
#define SCAN_EVERY (USEC_PER_SEC / 10)

struct emergency_run {
	struct session *session;
	struct emergency_run_options options;
	struct emergency_run_callbacks callbacks;
	uv_timer_t *tick;
	struct runner *runner; /* of the sessions */
	struct stopper *stopper;

	struct emergency *emergency; /* NULL at rest */
	bool assessing;              /* an assessment is awaited */
	bool begun;                  /* the first assessment has arrived */
	bool ending;                 /* the runner is at work */
	/* monotonic; of this run */
	int64_t signalled_at;   /* the last process was signalled */
	int64_t last_result_at; /* the last one had its result */
	int64_t last_end_at;    /* likewise, of those that had one; 0: none */
	int64_t retried_at, assessed_at;
	int64_t connected_at; /* the first time that the session was ready; 0: not yet */
};

static void on_tick(uv_timer_t *timer);

static void notify(struct emergency_run *run, const struct action_step *step)
{
	if (run->callbacks.progress)
		run->callbacks.progress(run->callbacks.data, step);
}

static void enter(struct emergency_run *run, enum emergency_phase phase)
{
	run->emergency->phase = phase;
	notify(run, NULL);
}

static void on_stopped(void *data, struct action_step *step)
{
	struct emergency_run *run = data;
	if (run->options.audit)
		audit_step(run->options.audit, &run->emergency->action, step, instant_now());
	if (step->result != RESULT_PENDING)
		run->last_result_at = run->last_end_at = instant_monotonic();
	notify(run, step);
}

static bool is_waiting(const struct action_step *step)
{
	return step->selected && !step->process.signal && step->result == RESULT_PENDING;
}

static void stop_one(struct emergency_run *run, struct action_step *step)
{
	stop_begin(run->stopper, &run->emergency->action, step);
	run->signalled_at = instant_monotonic();
}

static void stop_rest(struct emergency_run *run)
{
	enter(run, EMERGENCY_STOPPING);
	for (size_t i = 0; i < run->emergency->action.n_steps; i++)
		if (is_waiting(&run->emergency->action.steps[i]))
			stop_one(run, &run->emergency->action.steps[i]);
	run->last_result_at = instant_monotonic();
}

static void assess(struct emergency_run *run)
{
	if (run->assessing)
		return;
	run->assessing = true;
	run->callbacks.assess(run->callbacks.data);
}

static void retry(struct emergency_run *run)
{
	int64_t now = instant_monotonic();
	bool just_ended = run->last_end_at && now - run->last_end_at < SLOT_IS_FREE;
	if (session_is_ready(run->session) ||
		now - run->retried_at < (just_ended ? RETRY_AT_ONCE : RETRY_EVERY))
		return;
	run->retried_at = now;
	session_retry(run->session);
}

/* The callback comes last: it may begin the next, or free us. */
static void finish(struct emergency_run *run)
{
	uv_timer_stop(run->tick);
	run->emergency->phase = EMERGENCY_DONE;
	run->emergency = NULL;
	run->assessing = false;
	run->callbacks.done(run->callbacks.data);
}

/* Connected: asks again until the server reports its sessions, but not for ever. */
static void await_answer(struct emergency_run *run, int64_t now)
{
	if (!run->connected_at)
		run->connected_at = now;
	if (now - run->connected_at > LAST_WAIT)
		stop_rest(run);
	else
		assess(run);
}

/* The first process that is still to be stopped; NULL. */
static struct action_step *next_process(const struct emergency_run *run)
{
	for (size_t i = 0; i < run->emergency->action.n_steps; i++)
		if (is_waiting(&run->emergency->action.steps[i]))
			return &run->emergency->action.steps[i];
	return NULL;
}

/* True when the process before did not make room in time. */
static bool is_next_due(const struct emergency_run *run)
{
	return !session_is_ready(run->session) &&
		instant_monotonic() - run->signalled_at >= NEXT_PROCESS;
}

static void stop_next(struct emergency_run *run)
{
	struct action_step *next = next_process(run);
	if (next && is_next_due(run))
		stop_one(run, next);
}

/* One more process has to go: it is stopped when a new assessment still shows its connections. */
static void free_slot(struct emergency_run *run)
{
	int64_t now = instant_monotonic();
	if (session_is_ready(run->session)) {
		await_answer(run, now);
		return;
	}
	retry(run);
	if (next_process(run)) {
		if (is_next_due(run))
			assess(run);
		return;
	}
	if (!stop_busy(run->stopper) && now - run->last_result_at > LAST_WAIT)
		enter(run, EMERGENCY_COUNTING);
}

/* Updates a process of the plan from a new assessment. */
static void take_over(
	struct emergency_run *run, struct action_step *step, const struct action_step *fresh)
{
	struct arena *arena = run->emergency->action.arena;
	if (!fresh) {
		if (!step->selected)
			return;
		step->result = RESULT_CHANGED;
		step->detail = "it has closed its connections: left alone";
		on_stopped(run, step);
		return;
	}
	if (step->process.skip != SKIP_NONE && step->process.skip != SKIP_NOT_TOLD)
		return;
	/* one that was unticked stays so */
	step->selected = fresh->selected && (step->selected || step->process.skip != SKIP_NONE);
	step->process.skip = fresh->process.skip;
	step->process.why = arena_strdup(arena, fresh->process.why);
	step->process.connections = fresh->process.connections;
	step->process.applications = arena_strdup(arena, fresh->process.applications);
}

static void merge(struct emergency_run *run, const struct emergency *fresh)
{
	for (size_t i = 0; i < run->emergency->action.n_steps; i++) {
		struct action_step *step = &run->emergency->action.steps[i];
		if (!step->process.signal && step->result == RESULT_PENDING)
			take_over(run, step,
				emergency_find(fresh, step->pid, step->process.start_ticks));
	}
	notify(run, NULL);
}

static bool is_full(const struct emergency_run *run)
{
	const struct server_state *state = session_state(run->session);
	return !session_is_ready(run->session) &&
		(state->status == SERVER_FULL || state->status == SERVER_ROLE_LIMIT ||
			state->status == SERVER_DATABASE_LIMIT);
}

static void begin(struct emergency_run *run, const struct emergency *fresh)
{
	run->begun = true;
	merge(run, fresh);
	if (!fresh->connected && is_full(run)) {
		enter(run, EMERGENCY_FREEING);
		stop_next(run);
	} else {
		stop_rest(run);
	}
	run->last_result_at = instant_monotonic();
}

/* Leaves out those that there is no use in trying again. */
static size_t untick_hopeless(const struct emergency *emergency, struct action *plan)
{
	size_t hopeful = 0;
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct action_step *before =
			emergency_left_last_result(emergency, &plan->steps[i]);
		plan->steps[i].selected = !before || !action_result_survived(before->result);
		hopeful += plan->steps[i].selected;
	}
	return hopeful;
}

static void on_ended(void *data)
{
	struct emergency_run *run = data;
	run->ending = false;
	enter(run, EMERGENCY_COUNTING);
}

static void on_session(void *data, const struct action_step *step)
{
	(void)step;
	notify(data, NULL);
}

/* What a session held was asked for while its process lived. */
static void recall_lock_impact(const struct emergency *emergency, struct action *plan)
{
	for (size_t i = 0; emergency->held && i < plan->n_steps; i++) {
		struct action_step *step = &plan->steps[i];
		for (size_t k = 0; k < emergency->held->n_steps; k++) {
			const struct action_step *held = &emergency->held->steps[k];
			if (held->pid != step->pid ||
				held->session.backend_start != step->session.backend_start ||
				held->session.locks < 0)
				continue;
			step->session.locks = held->session.locks;
			step->session.waiters = held->session.waiters;
			step->session.loses = arena_strdup(plan->arena, held->session.loses);
		}
	}
}

/* True when there is something left to end, and the executor has begun with it. */
static bool end_sessions(struct emergency_run *run, struct action *plan)
{
	struct emergency *emergency = run->emergency;
	if (emergency->n_rounds == EMERGENCY_ROUNDS_MAX || untick_hopeless(emergency, plan) == 0 ||
		instant_monotonic() - run->last_result_at > END_WAIT + LAST_WAIT)
		return false;
	recall_lock_impact(emergency, plan);
	/* the emergency has begun */
	plan->unaudited = true;
	if (runner_begin(run->runner, plan) < 0)
		return false;
	emergency->rounds[emergency->n_rounds++] = plan;
	run->ending = true;
	enter(run, EMERGENCY_ENDING);
	return true;
}

static const char *why_not_connected(const struct emergency_run *run)
{
	const struct server_state *state = session_state(run->session);
	return arena_printf(run->emergency->action.arena,
		"the server cannot be asked how many are left: %s",
		state->error ? state->error : server_status_name(state->status));
}

/* "None is left" is not said while there are sessions that nobody here can relate to a process. */
static void doubt_none_left(struct emergency *emergency, const struct assessment *assessment)
{
	char text[FINDINGS_TEXT_MAX];
	if (emergency->counted != 0)
		return;
	findings_describe_unreached(assessment, text);
	if (!text[0])
		return;
	emergency->counted = -1;
	emergency->cannot =
		arena_printf(emergency->action.arena, "cannot tell how many are left: %s", text);
}

/* After the processes: end what is left, and count. */
static void conclude(struct emergency_run *run, const struct emergency *fresh,
	const struct assessment *assessment)
{
	struct emergency *emergency = run->emergency;
	int64_t waited = instant_monotonic() - run->last_result_at;
	if (!fresh->connected) {
		if (waited < LAST_WAIT)
			return;
		emergency->cannot = why_not_connected(run);
		emergency_left_count(emergency, fresh, NULL, 0);
		finish(run);
		return;
	}
	struct action *sessions =
		emergency_plan_sessions(emergency, assessment, run->options.applications);
	size_t unseen = emergency_plan_unseen(assessment);
	/* a supervisor needs a moment, too, to start again what we stopped (systemd: 100 ms) */
	if ((sessions->n_steps || unseen || action_count_selected(&emergency->action)) &&
		waited < END_WAIT) {
		action_free(sessions);
		return;
	}
	if (sessions->n_steps && end_sessions(run, sessions))
		return;
	emergency_left_count(emergency, fresh, sessions, unseen);
	doubt_none_left(emergency, assessment);
	action_free(sessions);
	finish(run);
}

/* A server that was full has let us in, through a pooler: what has not been stopped yet is left. */
static void stop_short(struct emergency_run *run)
{
	run->emergency->cannot = POOLER_REASON;
	finish(run);
}

void emergency_run_assessed(struct emergency_run *run, const struct emergency *fresh,
	const struct assessment *assessment)
{
	if (!run->assessing)
		return;
	run->assessing = false;
	run->assessed_at = instant_monotonic();
	if (session_is_pooled(run->session) && !stop_busy(run->stopper) && !run->ending) {
		stop_short(run);
	} else if (!run->begun) {
		begin(run, fresh);
	} else if (run->emergency->phase == EMERGENCY_FREEING) {
		merge(run, fresh);
		if (fresh->connected)
			stop_rest(run);
		else
			stop_next(run);
	} else if (!run->ending) {
		conclude(run, fresh, assessment);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct emergency_run *run = timer->data;
	switch (run->emergency->phase) {
	case EMERGENCY_PLANNED: assess(run); return;
	case EMERGENCY_FREEING: free_slot(run); return;
	case EMERGENCY_STOPPING:
		if (!stop_busy(run->stopper))
			enter(run, EMERGENCY_COUNTING);
		return;
	case EMERGENCY_ENDING: return;
	case EMERGENCY_COUNTING:
		retry(run);
		if (instant_monotonic() - run->assessed_at >= SCAN_EVERY)
			assess(run);
		return;
	case EMERGENCY_DONE: return;
	}
}

struct emergency_run *emergency_run_new(uv_loop_t *loop, struct session *session,
	const struct emergency_run_options *options,
	const struct emergency_run_callbacks *callbacks)
{
	struct emergency_run *run = mem_alloc(sizeof(*run));
	run->session = session;
	run->options = *options;
	run->callbacks = *callbacks;
	run->tick = handle_new_timer(loop, run);
	const struct runner_options sessions = {
		.readonly = options->readonly,
		.deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = options->audit,
	};
	run->runner = runner_new(
		loop, session, &sessions, &(struct runner_callbacks){ run, on_session, on_ended });
	run->stopper = stop_new(
		loop, options->proc_root, &(struct step_callbacks){ run, on_stopped, NULL });
	return run;
}

int emergency_run_begin(struct emergency_run *run, struct emergency *emergency)
{
	if (run->options.readonly)
		return -EPERM;
	if (session_is_pooled(run->session))
		return -ENOTSUP;
	if (run->emergency)
		return -EBUSY;
	if (run->options.audit) {
		int r = audit_begin(run->options.audit, &emergency->action, instant_now());
		if (r < 0)
			return r;
	}
	run->emergency = emergency;
	run->assessing = run->begun = run->ending = false;
	run->signalled_at = run->retried_at = run->assessed_at = 0;
	run->last_end_at = run->connected_at = 0;
	run->last_result_at = instant_monotonic();
	uv_timer_start(run->tick, on_tick, 0, TICK_MS);
	return 0;
}

bool emergency_run_busy(const struct emergency_run *run)
{
	return run->emergency != NULL;
}

void emergency_run_interrupt(struct emergency_run *run)
{
	struct emergency *emergency = run->emergency;
	if (!emergency)
		return;
	runner_interrupt(run->runner);
	stop_interrupt(run->stopper);
	uv_timer_stop(run->tick);
	emergency->interrupted = true;
	emergency->phase = EMERGENCY_DONE;
	run->emergency = NULL;
	run->assessing = false;
}

void emergency_run_free(struct emergency_run *run)
{
	if (!run)
		return;
	stop_free(run->stopper);
	runner_free(run->runner);
	handle_close(run->tick);
	free(run);
}
