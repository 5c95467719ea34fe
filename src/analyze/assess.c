/* Joins the sources, judges each connection, then counts. */
#include "analyze/assess.h"

#include <string.h>

#include "analyze/classify.h"
#include "analyze/client_processes.h"
#include "analyze/evidence.h"
#include "analyze/join.h"
#include "analyze/join_bouncers.h"
#include "analyze/join_hosts.h"
#include "analyze/join_pages.h"
#include "analyze/join_proxy.h"
#include "analyze/logins.h"
#include "analyze/openings.h"
#include "analyze/pools.h"
#include "analyze/slot_limits.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/lock.h"
#include "model/proxy.h"
#include "model/rules.h"
#include "model/session_ends.h"

/* A smaller difference of the clocks comes from adjusting the clock slowly. No comparison here
 * depends on so small a difference. */
#define STEP_LEAST (USEC_PER_SEC / 100)

/* Whether the backend has a client. Workers have none. A plain role cannot see their rows either,
 * but unlike those of hidden clients they have no user. */
static bool is_connection(const struct backend *backend)
{
	if (backend->kind == BACKEND_HIDDEN)
		return backend->user != NULL;
	return backend->kind != BACKEND_OTHER;
}

static bool takes_slot(const struct backend *backend)
{
	return backend->kind == BACKEND_CLIENT || backend->kind == BACKEND_HIDDEN;
}

static void list_connections(struct assessment *assessment)
{
	const struct activity *activity = assessment->activity;
	assessment->connections = arena_array(
		assessment->arena, activity->n_backends, sizeof(*assessment->connections));
	for (size_t i = 0; i < activity->n_backends; i++)
		if (is_connection(&activity->backends[i]))
			assessment->connections[assessment->n_connections++].backend =
				&activity->backends[i];
}

static bool matches(const regex_t *scope, const char *text)
{
	return text && regexec(scope, text, 0, NULL, 0) == 0;
}

static void judge(
	struct assessment *assessment, struct connection *connection, const struct rules *rules)
{
	const struct backend *backend = connection->backend;
	const struct evidence evidence = evidence_collect(assessment, connection);
	connection->verdict = classify_backend(backend, &evidence, rules, assessment->server_now);
	connection->unsettled = connection->verdict.certainty == CERTAINTY_PRESUMED &&
		connection->verdict.reason != REASON_LOCK_STRANDED &&
		(!assessment->activity->locks_known || connection->pool_unseen);
	int64_t waits = instant_elapsed(connection->client_awaited_since, assessment->server_now);
	connection->waits_for_client = waits > rules->transaction ? waits : -1;
	connection->in_scope = !rules->scope || matches(rules->scope, backend->application_name) ||
		matches(rules->scope, evidence.process_name);
}

static void scope_waiters(struct assessment *assessment, const struct rules *rules)
{
	for (size_t i = 0; i < assessment->n_waiters; i++) {
		struct waiter *waiter = &assessment->waiters[i];
		const char *name = waiter->process == NO_PROCESS
			? NULL
			: assessment->processes[waiter->process].process.name;
		waiter->in_scope = !rules->scope ||
			matches(rules->scope, waiter->client->application_name) ||
			matches(rules->scope, name);
	}
}

static void count(struct assessment *assessment, const struct connection *connection)
{
	bool leaked = connection->verdict.status == STATUS_LEAKED;
	if (takes_slot(connection->backend)) {
		assessment->slots.used_at_most++;
		assessment->slots.by_status[connection->verdict.status]++;
	}
	if (!connection->in_scope)
		return;
	assessment->n_leaked += leaked;
	if (connection->process != NO_PROCESS) {
		assessment->processes[connection->process].connections++;
		assessment->processes[connection->process].leaked += leaked;
	}
}

/* The source of a PgBouncer has its name. */
static const struct source_state *find_source(
	const struct assessment *assessment, const struct bouncer *bouncer)
{
	for (size_t i = SOURCE_COUNT; bouncer->name && i < assessment->n_sources; i++) {
		const char *space = strchr(assessment->sources[i].name, ' ');
		if (space && strcmp(space + 1, bouncer->name) == 0)
			return &assessment->sources[i];
	}
	return NULL;
}

/* One that answers must have been asked before and after the dump. */
bool assess_knows_poolers(const struct assessment *assessment)
{
	if (!assessment->activity || !assessment->peers ||
		assessment->activity->asked_monotonic < assessment->peers->dump_began)
		return false;
	bool answered = true;
	for (size_t i = SOURCE_COUNT; i < assessment->n_sources; i++)
		answered &= assessment->sources[i].status != SOURCE_WAITING;
	for (size_t i = 0; i < assessment->n_bouncers; i++) {
		const struct bouncer *bouncer = assessment->bouncers[i];
		const struct source_state *source = find_source(assessment, bouncer);
		if (source && source->status == SOURCE_OK &&
			(!peers_port(assessment->peers, bouncer->port) ||
				bouncer->asked_at < assessment->peers->dump_ended))
			return false;
	}
	return answered;
}

static bool is_complete(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (!assessment->connections[i].scanned)
			return false;
	for (size_t i = 0; i < assessment->n_hosts; i++)
		if (assessment->hosts[i].is_up && !assessment->hosts[i].has_answered)
			return false;
	return assess_knows_poolers(assessment);
}

/* A row that is hidden from our role may be a worker, which holds no slot. */
static bool has_hidden(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].backend->kind == BACKEND_HIDDEN)
			return true;
	return false;
}

static void judge_all(struct assessment *assessment, const struct rules *rules)
{
	const struct server_facts *facts = &assessment->activity->server;
	struct slots *slots = &assessment->slots;
	assessment->server_now = facts->clock;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		judge(assessment, &assessment->connections[i], rules);
		count(assessment, &assessment->connections[i]);
	}
	slot_limits_count(assessment);
	evidence_describe_all(assessment);
	pools_count(assessment);
	int n_sessions = slots->used_at_most;
	slots->max = facts->max_connections;
	slots->reserved = facts->reserved;
	logins_count(assessment);
	slots->free_at_least = slots->max - slots->reserved - slots->used_at_most;
	if (slots->max < 0)
		slots->free_at_least = -1;
	else if (slots->free_at_least < 0)
		slots->free_at_least = 0;
	bool is_exact = !has_hidden(assessment) && n_sessions == slots->used_at_most;
	slots->used = is_exact ? slots->used_at_most : -1;
	slots->free = is_exact ? slots->free_at_least : -1;
}

static struct server_state copy_state(struct arena *arena, const struct server_state *server)
{
	struct server_state copy = *server;
	copy.name = arena_strdup(arena, server->name);
	copy.host = arena_strdup(arena, server->host);
	copy.database = arena_strdup(arena, server->database);
	copy.user = arena_strdup(arena, server->user);
	copy.error = arena_strdup(arena, server->error);
	copy.hint = arena_strdup(arena, server->hint);
	return copy;
}

/* At least the number of sources that always exist, even if the caller knows fewer. */
static void copy_sources(struct assessment *assessment, const struct assess_input *input)
{
	struct arena *arena = assessment->arena;
	size_t n = input->n_sources < SOURCE_COUNT ? SOURCE_COUNT : input->n_sources;
	assessment->sources = arena_array(arena, n, sizeof(*assessment->sources));
	assessment->n_sources = n;
	for (size_t i = 0; i < input->n_sources; i++) {
		struct source_state *source = &assessment->sources[i];
		*source = input->sources[i];
		source->name = arena_strdup(arena, source->name);
		source->error = arena_strdup(arena, source->error);
	}
	for (size_t i = input->n_sources; i < n; i++)
		assessment->sources[i].taken_at = INSTANT_UNKNOWN;
}

static void take_blocks(struct assessment *assessment, const struct assess_input *input)
{
	assessment->activity = input->activity ? activity_ref(input->activity) : NULL;
	assessment->peers = input->peers ? peers_ref(input->peers) : NULL;
	assessment->proxy = input->proxy ? proxy_ref(input->proxy) : NULL;
	assessment->locks = input->locks ? lock_table_ref(input->locks) : NULL;
	assessment->session_ends =
		input->session_ends ? session_ends_ref(input->session_ends) : NULL;
	assessment->pages = input->pages ? pool_pages_ref(input->pages) : NULL;
	assessment->bouncers =
		arena_array(assessment->arena, input->n_bouncers, sizeof(*assessment->bouncers));
	for (size_t i = 0; i < input->n_bouncers; i++)
		if (input->bouncers[i])
			assessment->bouncers[assessment->n_bouncers++] =
				bouncer_ref(input->bouncers[i]);
	assessment->n_hosts = input->n_hosts;
	assessment->hosts =
		arena_array(assessment->arena, input->n_hosts, sizeof(*assessment->hosts));
	for (size_t i = 0; i < input->n_hosts; i++) {
		const struct host_ends *latest = input->hosts[i].latest;
		assessment->hosts[i] = (struct asked_host){
			.latest = latest ? host_ends_ref(latest) : NULL,
			.is_up = input->hosts[i].is_up,
		};
	}
}

/* Each join uses the results of the one before: the socket, the application behind a PgBouncer, the
 * claim of a stats page, the application behind a proxy. */
static void join_all(struct assessment *assessment, const struct assessment *previous)
{
	struct client_processes *processes = client_processes_new(assessment, previous);
	pools_list(assessment);
	join_clients(assessment, previous, processes);
	join_hosts(assessment, previous, processes);
	join_bouncers(assessment, previous, processes);
	join_proxy_mark(assessment);
	join_pages(assessment, previous, processes);
	join_proxy(assessment, processes);
	logins_join(assessment, previous, processes);
	pools_assign(assessment);
	openings_count(assessment, previous);
}

/* Compares the time between two assessments on both clocks; if it differs, the wall
 * clock was set. */
static int64_t find_step(const struct assessment *now, const struct assessment *previous)
{
	int64_t step = now->now - previous->now - (now->monotonic - previous->monotonic);
	return step > -STEP_LEAST && step < STEP_LEAST ? 0 : step;
}

struct assessment *assess(const struct assess_input *input, const struct assessment *previous)
{
	struct arena *arena = arena_new();
	struct assessment *assessment = arena_alloc(arena, sizeof(*assessment));
	assessment->arena = arena;
	assessment->now = input->now;
	assessment->monotonic = input->monotonic;
	if (previous)
		assessment->clock_step = find_step(assessment, previous);
	assessment->server_now = INSTANT_UNKNOWN;
	assessment->limits = (struct rules_limits){
		.idle = input->rules->idle,
		.transaction = input->rules->transaction,
		.held = input->rules->held,
	};
	assessment->server = copy_state(arena, input->server);
	take_blocks(assessment, input);
	copy_sources(assessment, input);
	if (assessment->activity)
		list_connections(assessment);
	join_all(assessment, previous);
	if (assessment->activity)
		judge_all(assessment, input->rules);
	else
		assessment->slots = slots_unknown();
	scope_waiters(assessment, input->rules);
	assessment->complete = !input->incomplete && is_complete(assessment) &&
		!(input->await_logins && logins_are_pending(assessment));
	return assessment;
}
