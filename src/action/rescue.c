/* The steps of an emergency. One timer drives them; in each a survey may be under way. */
#include "action/rescue.h"

#include <errno.h>
#include <stdlib.h>

#include "action/audit.h"
#include "action/execute.h"
#include "action/rescue_count.h"
#include "action/rescue_plan.h"
#include "action/stop.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "session/session.h"

#define TICK_MS 25

/* On a full server: how long one process is waited for before the next one is stopped, too. */
#define NEXT_PROCESS (USEC_PER_SEC)
/* … and how often we knock: each attempt is a line in the server's log. For a moment after a
 * process has ended its slot is anybody's: a supervisor that starts it again takes it. */
#define RETRY_EVERY   (USEC_PER_SEC / 4)
#define RETRY_AT_ONCE (USEC_PER_SEC / 40)
#define SLOT_IS_FREE  (USEC_PER_SEC / 4)
/* How long a slot may take to come free, or a backend to leave, after the last process ended. */
#define LAST_WAIT (5 * USEC_PER_SEC)
/* An idle backend goes with its client, in a moment: it need not be ended. */
#define SETTLE     (USEC_PER_SEC / 2)
#define SCAN_EVERY (USEC_PER_SEC / 10)

struct rescue {
	struct session *session;
	struct rescue_options options;
	struct rescue_callbacks callbacks;
	uv_loop_t *loop;
	uv_timer_t *tick;
	struct executor *executor;
	struct stopper *stopper; /* of the run under way */

	struct emergency *emergency; /* NULL at rest */
	bool surveying;              /* a survey is awaited */
	bool begun;                  /* the first survey has been heard */
	bool ending;                 /* the executor is at work */
	/* monotonic; of this run */
	int64_t signalled_at; /* the last process was signalled */
	int64_t settled_at;   /* the last one had its result */
	int64_t ended_at;     /* likewise, of those that had one; 0: none */
	int64_t retried_at, surveyed_at;
	int64_t connected_at; /* the first time that the session was ready; 0: not yet */
};

static void on_tick(uv_timer_t *timer);

static void tell(struct rescue *rescue, const struct emergency_process *process)
{
	if (rescue->callbacks.progress)
		rescue->callbacks.progress(rescue->callbacks.data, process);
}

static void enter(struct rescue *rescue, enum emergency_phase phase)
{
	rescue->emergency->phase = phase;
	tell(rescue, NULL);
}

static void note(struct rescue *rescue, const struct emergency_process *process)
{
	if (rescue->options.audit)
		audit_process(rescue->options.audit, rescue->emergency, process, instant_now());
	if (process->result != RESULT_PENDING)
		rescue->settled_at = rescue->ended_at = instant_monotonic();
	tell(rescue, process);
}

static void on_stopped(void *data, const struct emergency_process *process)
{
	note(data, process);
}

static bool is_waiting(const struct emergency_process *process)
{
	return process->spared == SPARED_NOT && !process->signal &&
		process->result == RESULT_PENDING;
}

static void stop_one(struct rescue *rescue, struct emergency_process *process)
{
	/* readonly never gets here */
	if (stop_begin(rescue->stopper, process) == 0)
		note(rescue, process);
	rescue->signalled_at = instant_monotonic();
}

static void stop_rest(struct rescue *rescue)
{
	enter(rescue, EMERGENCY_STOPPING);
	for (size_t i = 0; i < rescue->emergency->n_processes; i++)
		if (is_waiting(&rescue->emergency->processes[i]))
			stop_one(rescue, &rescue->emergency->processes[i]);
	rescue->settled_at = instant_monotonic();
}

static void survey(struct rescue *rescue)
{
	if (rescue->surveying)
		return;
	rescue->surveying = true;
	rescue->callbacks.survey(rescue->callbacks.data);
}

static void retry(struct rescue *rescue)
{
	int64_t now = instant_monotonic();
	bool hurry = rescue->ended_at && now - rescue->ended_at < SLOT_IS_FREE;
	if (session_is_ready(rescue->session) ||
		now - rescue->retried_at < (hurry ? RETRY_AT_ONCE : RETRY_EVERY))
		return;
	rescue->retried_at = now;
	session_retry(rescue->session);
}

/* The callback comes last: it may begin the next, or free us. */
static void finish(struct rescue *rescue)
{
	uv_timer_stop(rescue->tick);
	rescue->emergency->phase = EMERGENCY_DONE;
	rescue->emergency = NULL;
	rescue->surveying = false;
	rescue->callbacks.done(rescue->callbacks.data);
}

/* We are in. A server that does not say who is connected keeps no process of the plan. */
static void await_answer(struct rescue *rescue, int64_t now)
{
	if (!rescue->connected_at)
		rescue->connected_at = now;
	if (now - rescue->connected_at > LAST_WAIT)
		stop_rest(rescue);
	else
		survey(rescue);
}

/* One more process has to go, when the one before did not make room in time. */
static void free_slot(struct rescue *rescue)
{
	struct emergency *emergency = rescue->emergency;
	int64_t now = instant_monotonic();
	if (session_is_ready(rescue->session)) {
		await_answer(rescue, now);
		return;
	}
	retry(rescue);
	if (rescue->signalled_at && now - rescue->signalled_at < NEXT_PROCESS)
		return;
	for (size_t i = 0; i < emergency->n_processes; i++)
		if (is_waiting(&emergency->processes[i])) {
			stop_one(rescue, &emergency->processes[i]);
			return;
		}
	if (!stop_busy(rescue->stopper) && now - rescue->settled_at > LAST_WAIT)
		enter(rescue, EMERGENCY_COUNTING);
}

/* What a new look says of a process of the plan. */
static void take_over(struct rescue *rescue, struct emergency_process *process,
	const struct emergency_process *fresh)
{
	struct arena *arena = rescue->emergency->arena;
	if (!fresh) {
		if (process->spared != SPARED_NOT)
			return;
		process->result = RESULT_CHANGED;
		process->detail = "it has let go of its connections: left alone";
		note(rescue, process);
		return;
	}
	if (process->spared != SPARED_NOT && process->spared != SPARED_NOT_TOLD)
		return;
	process->spared = fresh->spared;
	process->why = arena_strdup(arena, fresh->why);
	process->connections = fresh->connections;
	process->applications = arena_strdup(arena, fresh->applications);
}

static void merge(struct rescue *rescue, const struct emergency *fresh)
{
	for (size_t i = 0; i < rescue->emergency->n_processes; i++) {
		struct emergency_process *process = &rescue->emergency->processes[i];
		if (!process->signal && process->result == RESULT_PENDING)
			take_over(rescue, process,
				rescue_plan_find(fresh, process->pid, process->start_ticks));
	}
	tell(rescue, NULL);
}

static bool is_full(const struct rescue *rescue)
{
	const struct server_state *state = session_state(rescue->session);
	return !session_is_ready(rescue->session) && state->status == SERVER_FULL;
}

static void begin(struct rescue *rescue, const struct emergency *fresh)
{
	rescue->begun = true;
	merge(rescue, fresh);
	if (!fresh->connected && is_full(rescue))
		enter(rescue, EMERGENCY_FREEING);
	else
		stop_rest(rescue);
	rescue->settled_at = instant_monotonic();
}

/* Leaves out those that there is no use in trying again. */
static size_t untick_hopeless(const struct emergency *emergency, struct action_plan *plan)
{
	size_t hopeful = 0;
	for (size_t i = 0; i < plan->n_targets; i++) {
		const struct action_target *before =
			rescue_count_last_word(emergency, &plan->targets[i]);
		plan->targets[i].selected = !before || !action_result_survived(before->result);
		hopeful += plan->targets[i].selected;
	}
	return hopeful;
}

static void on_ended(void *data)
{
	struct rescue *rescue = data;
	rescue->ending = false;
	enter(rescue, EMERGENCY_COUNTING);
}

static void on_session(void *data)
{
	tell(data, NULL);
}

/* What a session held was asked for while its process lived. */
static void recall_losses(const struct emergency *emergency, struct action_plan *plan)
{
	for (size_t i = 0; emergency->held && i < plan->n_targets; i++) {
		struct action_target *target = &plan->targets[i];
		for (size_t k = 0; k < emergency->held->n_targets; k++) {
			const struct action_target *held = &emergency->held->targets[k];
			if (held->pid != target->pid ||
				held->backend_start != target->backend_start || held->locks < 0)
				continue;
			target->locks = held->locks;
			target->waiters = held->waiters;
			target->loses = arena_strdup(plan->arena, held->loses);
		}
	}
}

/* True when there is something left to end, and the executor has begun with it. */
static bool end_sessions(struct rescue *rescue, struct action_plan *plan)
{
	struct emergency *emergency = rescue->emergency;
	if (emergency->n_rounds == EMERGENCY_ROUNDS_MAX || untick_hopeless(emergency, plan) == 0 ||
		instant_monotonic() - rescue->settled_at > SETTLE + LAST_WAIT)
		return false;
	recall_losses(emergency, plan);
	/* the emergency has begun */
	plan->unaudited = true;
	if (execute_run(rescue->executor, plan) < 0)
		return false;
	emergency->rounds[emergency->n_rounds++] = plan;
	rescue->ending = true;
	enter(rescue, EMERGENCY_ENDING);
	return true;
}

static const char *why_not_connected(const struct rescue *rescue)
{
	const struct server_state *state = session_state(rescue->session);
	return arena_printf(rescue->emergency->arena,
		"the server cannot be asked how many are left: %s",
		state->error ? state->error : server_status_name(state->status));
}

/* After the processes: end what is left, and count. */
static void conclude(
	struct rescue *rescue, const struct emergency *fresh, const struct assessment *assessment)
{
	struct emergency *emergency = rescue->emergency;
	int64_t waited = instant_monotonic() - rescue->settled_at;
	if (!fresh->connected) {
		if (waited < LAST_WAIT)
			return;
		emergency->cannot = why_not_connected(rescue);
		rescue_count(emergency, fresh, NULL, 0);
		finish(rescue);
		return;
	}
	struct action_plan *sessions =
		rescue_plan_sessions(emergency, assessment, rescue->options.applications);
	size_t unseen = rescue_plan_unseen(assessment);
	/* a supervisor needs a moment, too, to start again what we stopped (systemd: 100 ms) */
	if ((sessions->n_targets || unseen || emergency_count_stopped(emergency)) &&
		waited < SETTLE) {
		action_plan_free(sessions);
		return;
	}
	if (sessions->n_targets && end_sessions(rescue, sessions))
		return;
	rescue_count(emergency, fresh, sessions, unseen);
	action_plan_free(sessions);
	finish(rescue);
}

/* A server that was full has let us in, through a pooler: what has not been stopped yet is left. */
static void stop_short(struct rescue *rescue)
{
	rescue->emergency->cannot = POOLER_REASON;
	finish(rescue);
}

void rescue_surveyed(
	struct rescue *rescue, const struct emergency *fresh, const struct assessment *assessment)
{
	if (!rescue->surveying)
		return;
	rescue->surveying = false;
	rescue->surveyed_at = instant_monotonic();
	if (session_is_pooled(rescue->session) && !stop_busy(rescue->stopper) && !rescue->ending) {
		stop_short(rescue);
	} else if (!rescue->begun) {
		begin(rescue, fresh);
	} else if (rescue->emergency->phase == EMERGENCY_FREEING) {
		if (!fresh->connected)
			return;
		merge(rescue, fresh);
		stop_rest(rescue);
	} else if (!rescue->ending) {
		conclude(rescue, fresh, assessment);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct rescue *rescue = timer->data;
	switch (rescue->emergency->phase) {
	case EMERGENCY_PLANNED: survey(rescue); return;
	case EMERGENCY_FREEING: free_slot(rescue); return;
	case EMERGENCY_STOPPING:
		if (!stop_busy(rescue->stopper))
			enter(rescue, EMERGENCY_COUNTING);
		return;
	case EMERGENCY_ENDING: return;
	case EMERGENCY_COUNTING:
		retry(rescue);
		if (instant_monotonic() - rescue->surveyed_at >= SCAN_EVERY)
			survey(rescue);
		return;
	case EMERGENCY_DONE: return;
	}
}

struct rescue *rescue_new(uv_loop_t *loop, struct session *session,
	const struct rescue_options *options, const struct rescue_callbacks *callbacks)
{
	struct rescue *rescue = mem_alloc(sizeof(*rescue));
	rescue->loop = loop;
	rescue->session = session;
	rescue->options = *options;
	rescue->callbacks = *callbacks;
	rescue->tick = handle_new_timer(loop, rescue);
	const struct execute_options execute = {
		.readonly = options->readonly,
		.deadline = EXECUTE_DEADLINE_DEFAULT,
		.audit = options->audit,
	};
	const struct execute_callbacks executor = {
		.data = rescue,
		.progress = on_session,
		.done = on_ended,
	};
	rescue->executor = execute_new(loop, session, &execute, &executor);
	return rescue;
}

int rescue_run(struct rescue *rescue, struct emergency *emergency)
{
	if (rescue->options.readonly)
		return -EPERM;
	if (session_is_pooled(rescue->session))
		return -ENOTSUP;
	if (rescue->emergency)
		return -EBUSY;
	if (rescue->options.audit) {
		audit_emergency(rescue->options.audit, emergency, instant_now());
		if (audit_error(rescue->options.audit) && !emergency->unaudited)
			return -EIO;
	}
	const struct stop_options stop = {
		.proc_root = rescue->options.proc_root,
		.arena = emergency->arena,
		.force = emergency->force,
		.grace = emergency->grace,
		.data = rescue,
		.progress = on_stopped,
	};
	stop_free(rescue->stopper);
	rescue->stopper = stop_new(rescue->loop, &stop);
	rescue->emergency = emergency;
	rescue->surveying = rescue->begun = rescue->ending = false;
	rescue->signalled_at = rescue->retried_at = rescue->surveyed_at = 0;
	rescue->ended_at = rescue->connected_at = 0;
	rescue->settled_at = instant_monotonic();
	uv_timer_start(rescue->tick, on_tick, 0, TICK_MS);
	return 0;
}

bool rescue_busy(const struct rescue *rescue)
{
	return rescue->emergency != NULL;
}

void rescue_interrupt(struct rescue *rescue)
{
	struct emergency *emergency = rescue->emergency;
	if (!emergency)
		return;
	execute_interrupt(rescue->executor);
	bool *sent = mem_alloc(emergency->n_processes * sizeof(*sent));
	for (size_t i = 0; i < emergency->n_processes; i++)
		sent[i] = emergency->processes[i].signal &&
			emergency->processes[i].result == RESULT_PENDING;
	stop_interrupt(rescue->stopper);
	for (size_t i = 0; i < emergency->n_processes; i++)
		if (sent[i])
			note(rescue, &emergency->processes[i]);
	free(sent);
	uv_timer_stop(rescue->tick);
	emergency->interrupted = true;
	emergency->phase = EMERGENCY_DONE;
	rescue->emergency = NULL;
	rescue->surveying = false;
}

void rescue_free(struct rescue *rescue)
{
	if (!rescue)
		return;
	stop_free(rescue->stopper);
	execute_free(rescue->executor);
	handle_close(rescue->tick);
	free(rescue);
}
