/* Builds plans from an assessment. */
#include "action/plan.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"

static bool may_be_ended(const struct connection *connection)
{
	enum protection protection = connection->verdict.protection;
	return connection->in_scope && connection->backend->kind == BACKEND_CLIENT &&
		connection->backend->start != INSTANT_UNKNOWN && protection != PROTECTION_OWN &&
		protection != PROTECTION_SYSTEM;
}

static bool is_running(enum backend_state state)
{
	return state == BACKEND_STATE_ACTIVE || state == BACKEND_STATE_FASTPATH;
}

/* A pooler whose session is in use, and ends, may stop using the server, as pgpool does. */
static const char *add_pooler(
	struct arena *arena, const char *what, const struct client_process *client)
{
	if (!what || !client || client->process.program != PROGRAM_POOLER)
		return what;
	return arena_printf(arena, "%s, of a client of %s, which may take the server for down",
		what, client->process.name ? client->process.name : "a pooler");
}

/* What is known to be lost; NULL: nothing that is known. An aborted transaction is lost already. */
static const char *loses(struct arena *arena, const struct connection *connection,
	const struct client_process *client, int64_t now)
{
	const struct backend *backend = connection->backend;
	const char *what = NULL;
	int64_t since = INSTANT_UNKNOWN;
	if (is_running(backend->state)) {
		what = "running statement";
		since = backend->query_start;
	} else if (backend->state == BACKEND_STATE_IN_TRANSACTION) {
		what = "open transaction";
		since = backend->xact_start;
	}
	if (what && since != INSTANT_UNKNOWN) {
		char age[DURATION_TEXT_MAX];
		what = arena_printf(
			arena, "%s, %s", what, duration_format(instant_elapsed(since, now), age));
	}
	what = add_pooler(arena, what, client);
	if (!connection->backing_up)
		return what;
	return what ? arena_printf(arena, "the base backup, %s", what) : "the base backup";
}

/* Its command line; of another machine, which one. NULL if it is not known. */
static const char *name_process(struct arena *arena, const struct client_process *client)
{
	const struct process *process = client ? &client->process : NULL;
	if (!process || !process->host)
		return process ? arena_strdup(arena, process->command) : NULL;
	return arena_printf(
		arena, "%s on %s", process->command ? process->command : "?", process->host);
}

static struct action_step make_step(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	const struct client_process *process = assessment_process(assessment, connection);
	return (struct action_step){
		.pid = backend->pid,
		.session.backend_start = backend->start,
		.session.state_change = backend->state_change,
		.session.xact_start = backend->xact_start,
		.session.state = backend->state,
		.session.state_text = arena_strdup(arena, backend->state_text),
		.session.reason = connection->verdict.reason,
		.session.certainty = connection->verdict.certainty,
		.session.age = connection->verdict.age,
		.session.database = arena_strdup(arena, backend->database),
		.session.user = arena_strdup(arena, backend->user),
		.session.application_name = arena_strdup(arena, backend->application_name),
		.session.query = arena_strdup(arena, backend->query),
		.session.process = name_process(arena, process),
		.session.process_pid = process && !process->process.host ? process->process.pid : 0,
		.session.loses = loses(arena, connection, process, assessment->server_now),
		.session.locks = -1,
		.session.waiters = -1,
		.selected = true,
		.session.seen_at = INSTANT_UNKNOWN,
		.session.seen_state_change = INSTANT_UNKNOWN,
	};
}

/* The most certain first, then the oldest, then by pid so that the order is always the same. */
static int compare_steps(const void *a, const void *b)
{
	const struct action_step *x = a, *y = b;
	if (x->session.certainty != y->session.certainty)
		return x->session.certainty > y->session.certainty ? -1 : 1;
	if (x->session.age != y->session.age)
		return x->session.age > y->session.age ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct action *new_plan(const struct assessment *assessment, enum action_kind kind)
{
	struct action *plan = action_new(kind, assessment->n_connections);
	plan->made_at = assessment->now;
	action_set_server(plan, assessment);
	return plan;
}

static void add_step(struct action *plan, const struct assessment *assessment,
	const struct connection *connection)
{
	plan->steps[plan->n_steps++] = make_step(plan->arena, assessment, connection);
}

static void sort_steps(struct action *plan)
{
	if (plan->n_steps)
		qsort(plan->steps, plan->n_steps, sizeof(*plan->steps), compare_steps);
}

struct action *plan_kill_leaked(const struct assessment *assessment, enum certainty least)
{
	struct action *plan = new_plan(assessment, ACTION_KILL_LEAKED);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->verdict.status != STATUS_LEAKED || !may_be_ended(connection))
			continue;
		if (connection->verdict.certainty < least)
			continue;
		add_step(plan, assessment, connection);
		/* what may be protected is ended only by explicit choice */
		if (connection->unsettled)
			plan->steps[plan->n_steps - 1].selected = false;
	}
	sort_steps(plan);
	return plan;
}

void plan_drop_unticked(struct action *plan)
{
	size_t n = 0;
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected)
			plan->steps[n++] = plan->steps[i];
	plan->n_steps = n;
}

static uint64_t session_key(int32_t pid, int64_t start)
{
	return map_mix((uint64_t)pid, (uint64_t)start);
}

static struct map *index_sessions(
	struct arena *arena, const struct plan_session *sessions, size_t n_sessions)
{
	struct map *map = map_new(arena, n_sessions);
	for (size_t i = 0; i < n_sessions; i++)
		map_set(map, session_key(sessions[i].pid, sessions[i].start), (uint32_t)i);
	return map;
}

static bool is_chosen(const struct backend *backend, const struct plan_session *sessions,
	const struct map *chosen)
{
	uint32_t i = map_get(chosen, session_key(backend->pid, backend->start));
	/* the key is a hash: two sessions may have the same */
	return i != MAP_NONE && sessions[i].pid == backend->pid &&
		sessions[i].start == backend->start;
}

struct action *plan_selected(const struct assessment *assessment, enum action_kind kind,
	const struct plan_session *sessions, size_t n_sessions)
{
	struct action *plan = new_plan(assessment, kind);
	const struct map *chosen = index_sessions(plan->arena, sessions, n_sessions);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (kind == ACTION_CANCEL && !is_running(connection->backend->state))
			continue;
		if (may_be_ended(connection) && is_chosen(connection->backend, sessions, chosen))
			add_step(plan, assessment, connection);
	}
	sort_steps(plan);
	return plan;
}
