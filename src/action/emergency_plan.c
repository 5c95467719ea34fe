/* The processes as they are judged, and the sessions that end with them. */
#include "action/emergency_plan.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "action/emergency_candidates.h"
#include "action/emergency_skip.h"
#include "action/plan.h"
#include "base/arena.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "model/peers.h"
#include "model/rules.h"

static bool may_be_ended(const struct connection *connection)
{
	enum protection protection = connection->verdict.protection;
	return connection->in_scope && connection->backend->kind == BACKEND_CLIENT &&
		connection->matched_by != MATCHED_PGBOUNCER && protection != PROTECTION_OWN &&
		protection != PROTECTION_SYSTEM && protection != PROTECTION_APPLICATION &&
		protection != PROTECTION_USER;
}

/* The process that is proven to hold the connection; NULL. */
static const struct action_step *owner_of(const struct emergency *emergency,
	const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *client = assessment_local_process(assessment, connection);
	return client && emergency_candidates_proven(connection)
		? emergency_find(emergency, client->process.pid, client->process.start_ticks)
		: NULL;
}

/* With its process, when that is stopped. */
static bool ends_with_process(const struct emergency *emergency,
	const struct assessment *assessment, const struct connection *connection,
	const struct patterns *applications)
{
	(void)applications;
	const struct action_step *step = owner_of(emergency, assessment, connection);
	return step && step->selected;
}

static const struct action_step *find_session(
	const struct action *plan, const struct backend *backend)
{
	for (size_t i = 0; plan && i < plan->n_steps; i++)
		if (plan->steps[i].pid == backend->pid &&
			plan->steps[i].session.backend_start == backend->start)
			return &plan->steps[i];
	return NULL;
}

/* A session whose client is gone: as it was ticked; if it was not in the plan, as its process was.
 */
static bool may_end_gone(const struct emergency *emergency, const struct backend *backend)
{
	const struct action_step *planned = find_session(emergency->gone, backend);
	if (planned)
		return planned->selected;
	const struct action_step *held = find_session(emergency->held, backend);
	for (size_t i = 0; held && i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].pid == held->session.process_pid)
			return emergency->action.steps[i].selected;
	return !emergency->only_named;
}

/* Its process was stopped, or is gone. */
static bool ends_by_now(const struct emergency *emergency, const struct assessment *assessment,
	const struct connection *connection, const struct patterns *applications)
{
	if (!may_be_ended(connection))
		return false;
	const struct action_step *step = owner_of(emergency, assessment, connection);
	/* one that was left alone because its pid is another's left its sessions behind as well */
	if (step && step->result != RESULT_CHANGED)
		return step->selected && (step->process.signal || step->result != RESULT_PENDING);
	return connection->end == CLIENT_END_GONE &&
		(applications->count == 0 ||
			patterns_match(applications, connection->backend->application_name)) &&
		may_end_gone(emergency, connection->backend);
}

static size_t lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The server's end of a TCP connection whose client on this machine has closed its own. */
static bool is_lost(const struct assessment *assessment, const struct tcp_socket *socket)
{
	const struct peers *peers = assessment->peers;
	return socket->inode && socket->state == TCP_CLOSE_WAIT &&
		socket->local.port == peers->target.port && peers_is_local(peers, &socket->local) &&
		peers_is_local(peers, &socket->remote);
}

size_t emergency_plan_unseen(const struct assessment *assessment)
{
	const struct peers *peers = assessment->peers;
	size_t lost_unix = 0, lost_tcp = 0, seen_unix = 0, seen_tcp = 0, unseen = 0, hidden = 0;
	for (size_t i = 0; peers && i < peers->n_unix; i++)
		lost_unix += peers->unix_sockets[i].at_target &&
			(!peers->unix_sockets[i].peer || peers->unix_sockets[i].shut);
	for (size_t i = 0; peers && assessment->place.network_here && i < peers->n_tcp; i++)
		lost_tcp += is_lost(assessment, &peers->tcp[i]);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		bool is_unix = connection->backend->client.family == AF_UNIX;
		bool is_gone = connection->end == CLIENT_END_GONE;
		if (connection->verdict.protection == PROTECTION_OWN)
			continue;
		hidden += connection->backend->kind == BACKEND_HIDDEN;
		seen_unix += is_gone && is_unix;
		seen_tcp += is_gone && !is_unix;
		unseen += is_unix && connection->end == CLIENT_END_NOT_VISIBLE;
	}
	lost_unix -= lesser(seen_unix, lost_unix);
	lost_tcp -= lesser(seen_tcp, lost_tcp);
	/* a hidden row is of any family */
	size_t over_unix = lesser(lost_unix, unseen + hidden);
	size_t hidden_left = hidden - (over_unix > unseen ? over_unix - unseen : 0);
	return over_unix + lesser(lost_tcp, hidden_left);
}

typedef bool ends_fn(const struct emergency *emergency, const struct assessment *assessment,
	const struct connection *connection, const struct patterns *applications);

static struct action *plan_those(const struct emergency *emergency,
	const struct assessment *assessment, ends_fn *ends, const struct patterns *applications)
{
	struct plan_session *sessions = mem_alloc(assessment->n_connections * sizeof(*sessions));
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (ends(emergency, assessment, connection, applications))
			sessions[count++] = (struct plan_session){ connection->backend->pid,
				connection->backend->start };
	}
	struct action *plan = plan_selected(assessment, ACTION_EMERGENCY, sessions, count);
	free(sessions);
	return plan;
}

struct action *emergency_plan_sessions(const struct emergency *emergency,
	const struct assessment *assessment, const struct patterns *applications)
{
	return plan_those(emergency, assessment, ends_by_now, applications);
}

/* Whether only some processes are named. */
static bool is_restricted(const struct emergency_plan_options *options)
{
	return options->n_pids || options->applications->count || options->rules->scope;
}

struct emergency *emergency_plan(const struct assessment *assessment,
	const struct emergency_plan_options *options, const struct process_facts *facts,
	size_t n_facts)
{
	struct arena *arena = arena_new();
	struct emergency *emergency = arena_alloc(arena, sizeof(*emergency));
	*emergency = (struct emergency){
		.action = {
			.arena = arena,
			.kind = ACTION_EMERGENCY,
			.made_at = assessment->now,
			.stop_way = options->force ? STOP_BY_KILL : STOP_THEN_KILL,
			.grace = options->grace,
		},
		.connected = emergency_candidates_connected(assessment),
		.has_room = assessment->server.status == SERVER_ROLE_LIMIT ||
			assessment->server.status == SERVER_DATABASE_LIMIT,
		.only_named = options->n_pids > 0,
		.counted = -1,
	};
	action_set_server(&emergency->action, assessment);
	if (assessment->peers)
		emergency_skip_judge(assessment, options, facts, n_facts, emergency);
	emergency->gone = emergency_plan_sessions(emergency, assessment, options->applications);
	emergency->held =
		plan_those(emergency, assessment, ends_with_process, options->applications);
	emergency->hosts = findings_list_hosts(assessment, arena, &emergency->n_hosts);
	if (emergency->has_room && !is_restricted(options))
		emergency_untick(emergency);
	char blind[FINDINGS_TEXT_MAX];
	findings_describe_unreached(assessment, blind);
	if (blind[0])
		emergency->action.blind = arena_strdup(arena, blind);
	return emergency;
}
