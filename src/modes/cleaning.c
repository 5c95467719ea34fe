/* Kills processes, gives their sessions a moment to end, then ends the sessions that are left. */
#include "modes/cleaning.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "action/plan.h"
#include "action/runner.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/shutdown.h"
#include "proc/process.h"
#include "target/target.h"
#include "watch/watch.h"

#define LOOK_EVERY_MS 20

/* How long to wait for killed processes to end, and for their sessions to end by themselves. */
#define GRACE (300 * USEC_PER_MSEC)

/* How often to try again to end sessions that are still there. */
#define MOST_TRIES 5

/* How long to wait if the server does not answer. */
#define TIMEOUT (5 * USEC_PER_SEC)

struct cleaning {
	struct target *target;
	struct cleaning_callbacks callbacks;
	struct runner *runner;
	uv_timer_t *timer;
	struct watch *watch; /* NULL: no cleaning is running */
	struct action *plan;
	const void *activity; /* the activity before the kill: only compared, never dereferenced */
	int64_t began_at;
	int tries;
};

/* Before the signal the watch forgets a session that has ended. */
static void note_forgotten(struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_survivors; i++) {
		struct shutdown_survivor *survivor = &record->survivors[i];
		bool known = !survivor->session || survivor->result[0] != 'l';
		for (size_t j = 0; j < record->n_connections && !known; j++)
			known = record->connections[j].backend == survivor->pid;
		if (!known)
			survivor->result = "gone";
	}
}

static void finish(struct cleaning *cleaning)
{
	note_forgotten(watch_record(cleaning->watch));
	uv_timer_stop(cleaning->timer);
	action_free(cleaning->plan);
	cleaning->plan = NULL;
	cleaning->watch = NULL;
	cleaning->callbacks.cleaned(cleaning->callbacks.data);
}

static void kill_processes(struct watch *watch)
{
	struct shutdown_record *record = watch_record(watch);
	for (size_t i = 0; i < record->n_processes; i++) {
		const struct shutdown_process *process = &record->processes[i];
		int fd = watch_process_fd(watch, process);
		if (process->ended_at != INSTANT_UNKNOWN)
			continue;
		int r = fd < 0 || process_has_ended(fd) ? -ESRCH : process_signal(fd, SIGKILL);
		if (r == -ESRCH)
			continue;
		struct shutdown_survivor *survivor = shutdown_add_survivor(record);
		survivor->pid = process->pid;
		survivor->what = process->name ? process->name : "?";
		survivor->result = r == 0 ? "killed" : "denied";
	}
}

static bool is_left(const struct shutdown_connection *connection)
{
	return connection->backend && connection->link != LINK_POOLED &&
		!shutdown_connection_is_over(connection);
}

static void name_sessions(struct watch *watch)
{
	struct shutdown_record *record = watch_record(watch);
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		if (!is_left(connection))
			continue;
		struct shutdown_survivor *survivor = shutdown_add_survivor(record);
		survivor->session = true;
		survivor->pid = connection->backend;
		survivor->what = connection->state ? connection->state : "?";
	}
}

static struct shutdown_survivor *find_survivor(struct shutdown_record *record, int32_t pid)
{
	for (size_t i = 0; i < record->n_survivors; i++)
		if (record->survivors[i].session && record->survivors[i].pid == pid)
			return &record->survivors[i];
	return NULL;
}

static bool is_present(
	const struct activity *activity, const struct shutdown_connection *connection)
{
	for (size_t i = 0; i < activity->n_backends; i++)
		if (activity->backends[i].pid == connection->backend &&
			activity->backends[i].start == connection->backend_start)
			return true;
	return false;
}

/* Lists the sessions that still have to be ended, and records those that ended by themselves. */
static struct plan_session *list_sessions(struct cleaning *cleaning, size_t *ret_count)
{
	const struct activity *activity = target_assessment(cleaning->target)->activity;
	struct shutdown_record *record = watch_record(cleaning->watch);
	struct plan_session *sessions =
		mem_resize(NULL, record->n_connections + 1, sizeof(*sessions));
	*ret_count = 0;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		struct shutdown_survivor *survivor = find_survivor(record, connection->backend);
		if (!survivor)
			continue;
		if (!is_left(connection)) {
			/* its process has ended */
			if (survivor->result[0] == 'l')
				survivor->result = "gone";
			continue;
		}
		if (is_present(activity, connection) && connection->presumed)
			continue;
		if (is_present(activity, connection))
			sessions[(*ret_count)++] = (struct plan_session){ connection->backend,
				connection->backend_start };
		else if (survivor->result[0] == 'l')
			survivor->result = "gone";
	}
	return sessions;
}

static bool has_running(const struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_processes; i++)
		if (record->processes[i].ended_at == INSTANT_UNKNOWN)
			return true;
	return false;
}

static void end_sessions(struct cleaning *cleaning)
{
	size_t count;
	CLEANUP(cleanup_free) struct plan_session *sessions = list_sessions(cleaning, &count);
	bool early = instant_monotonic() - cleaning->began_at < GRACE;
	if ((count || has_running(watch_record(cleaning->watch))) && early)
		return;
	if (!count || cleaning->tries == MOST_TRIES) {
		finish(cleaning);
		return;
	}
	cleaning->tries++;
	action_free(cleaning->plan);
	cleaning->plan = plan_selected(
		target_assessment(cleaning->target), ACTION_TERMINATE, sessions, count);
	cleaning->plan->unaudited = true;
	if (runner_begin(cleaning->runner, cleaning->plan) < 0)
		finish(cleaning);
}

static void on_executed(void *data)
{
	struct cleaning *cleaning = data;
	struct shutdown_record *record = watch_record(cleaning->watch);
	bool again = false;
	for (size_t i = 0; i < cleaning->plan->n_steps; i++) {
		const struct action_step *step = &cleaning->plan->steps[i];
		struct shutdown_survivor *survivor = find_survivor(record, step->pid);
		if (survivor)
			survivor->result = action_result_name(step->result);
		again |= step->result == RESULT_CHANGED;
	}
	if (!again) {
		finish(cleaning);
		return;
	}
	cleaning->activity = target_assessment(cleaning->target)->activity;
	target_refresh(cleaning->target);
}

static void on_timer(uv_timer_t *timer)
{
	struct cleaning *cleaning = timer->data;
	if (runner_busy(cleaning->runner))
		return;
	if (instant_monotonic() - cleaning->began_at > TIMEOUT)
		finish(cleaning);
	else
		target_refresh(cleaning->target);
}

static void on_clean(uv_timer_t *timer)
{
	finish(timer->data);
}

void cleaning_assessed(struct cleaning *cleaning)
{
	const struct assessment *assessment = target_assessment(cleaning->target);
	if (!cleaning->watch || runner_busy(cleaning->runner) ||
		assessment->server.status != SERVER_OK ||
		assessment->activity == cleaning->activity)
		return;
	end_sessions(cleaning);
}

struct cleaning *cleaning_new(uv_loop_t *loop, struct target *target, struct audit *audit,
	const struct cleaning_callbacks *callbacks)
{
	struct cleaning *cleaning = mem_alloc(sizeof(*cleaning));
	cleaning->target = target;
	cleaning->callbacks = *callbacks;
	const struct runner_options run = {
		.deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = audit,
	};
	const struct runner_callbacks done = { .data = cleaning, .done = on_executed };
	cleaning->runner = runner_new(loop, target_session(target), &run, &done);
	cleaning->timer = handle_new_timer(loop, cleaning);
	return cleaning;
}

void cleaning_free(struct cleaning *cleaning)
{
	if (!cleaning)
		return;
	handle_close(cleaning->timer);
	runner_free(cleaning->runner);
	action_free(cleaning->plan);
	free(cleaning);
}

void cleaning_run(struct cleaning *cleaning, struct watch *watch)
{
	const struct shutdown_record *record = watch_record(watch);
	cleaning->watch = watch;
	cleaning->began_at = instant_monotonic();
	cleaning->tries = 0;
	cleaning->activity = target_assessment(cleaning->target)->activity;
	name_sessions(watch);
	kill_processes(watch);
	/* not from here: the caller may be a callback of the watch */
	if (!record->n_survivors) {
		uv_timer_start(cleaning->timer, on_clean, 0, 0);
		return;
	}
	uv_timer_start(cleaning->timer, on_timer, LOOK_EVERY_MS, LOOK_EVERY_MS);
	target_refresh(cleaning->target);
}
