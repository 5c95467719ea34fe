/* Joins what other machines' dbtops say. */
#include "analyze/join_hosts.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "analyze/client_processes.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

/* /proc counts a process's start in ticks of 10 ms from a boot time that is rounded, too. */
#define START_TOLERANCE (2 * USEC_PER_SEC)

#define NO_HOST SIZE_MAX

struct join {
	struct assessment *assessment;
	const struct assessment *previous;
	struct client_processes *processes;
	struct map *before;   /* a session's identity → index into previous' connections */
	struct map *sessions; /* client's address and port → how many sessions have it */
	struct map **ends;    /* of each host: key of the end → index into its ends */
	size_t server;        /* the host of the server; NO_HOST */
};

static uint64_t identity(const struct backend *backend)
{
	return map_mix((uint64_t)backend->pid, (uint64_t)backend->start);
}

static void index_all(struct join *join)
{
	struct assessment *assessment = join->assessment;
	struct arena *arena = assessment->arena;
	const struct activity *activity = assessment->activity;
	const struct assessment *previous = join->previous;
	join->before = map_new(arena, previous ? previous->n_connections : 0);
	for (size_t i = 0; previous && i < previous->n_connections; i++)
		map_set(join->before, identity(previous->connections[i].backend), (uint32_t)i);
	join->sessions = map_new(arena, activity->n_backends);
	for (size_t i = 0; i < activity->n_backends; i++) {
		uint64_t key = endpoint_key(&activity->backends[i].client);
		uint32_t count = map_get(join->sessions, key);
		map_set(join->sessions, key, count == MAP_NONE ? 1 : count + 1);
	}
	join->ends = arena_array(arena, assessment->n_hosts, sizeof(struct map *));
	for (size_t i = 0; i < assessment->n_hosts; i++) {
		const struct host_ends *latest = assessment->hosts[i].latest;
		join->ends[i] = map_new(arena, latest ? latest->n_ends : 0);
		for (size_t k = 0; latest && k < latest->n_ends; k++)
			map_set(join->ends[i], asked_end_key(&latest->ends[k].end), (uint32_t)k);
	}
}

static const struct backend *own_backend(const struct activity *activity)
{
	for (size_t i = 0; activity->server.own_pid && i < activity->n_backends; i++)
		if (activity->backends[i].pid == activity->server.own_pid)
			return &activity->backends[i];
	return NULL;
}

/* The host whose process at the server's end of our connection is our own backend; NO_HOST if there
 * is none, or more than one. */
static size_t find_server(const struct assessment *assessment)
{
	const struct backend *own = own_backend(assessment->activity);
	size_t found = NO_HOST;
	if (!own || own->start == INSTANT_UNKNOWN)
		return NO_HOST;
	for (size_t i = 0; i < assessment->n_hosts; i++) {
		const struct host_ends *latest = assessment->hosts[i].latest;
		if (!latest || latest->server_pid != own->pid ||
			latest->server_started_at == INSTANT_UNKNOWN ||
			llabs(latest->server_started_at - own->start) > START_TOLERANCE)
			continue;
		if (found != NO_HOST)
			return NO_HOST;
		found = i;
	}
	return found;
}

static bool is_in(
	const struct endpoint *addresses, size_t n_addresses, const struct endpoint *address)
{
	for (size_t i = 0; i < n_addresses; i++)
		if (endpoint_same_address(&addresses[i], address))
			return true;
	return false;
}

static bool is_this_machines(const struct peers *peers, const struct endpoint *address)
{
	if (peers_is_local(peers, address))
		return true;
	for (size_t i = 0; i < peers->n_networks; i++)
		if (is_in(peers->networks[i].addresses, peers->networks[i].n_addresses, address))
			return true;
	return false;
}

/* The only host that speaks for the address, if no other one has it. */
static size_t host_of_address(const struct assessment *assessment, const struct endpoint *address)
{
	size_t found = NO_HOST, n_having = 0;
	for (size_t i = 0; i < assessment->n_hosts; i++) {
		const struct host_ends *latest = assessment->hosts[i].latest;
		if (!latest)
			continue;
		bool speaks = is_in(latest->addresses, latest->n_addresses, address);
		n_having += speaks || is_in(latest->interfaces, latest->n_interfaces, address);
		if (speaks)
			found = i;
	}
	return n_having == 1 ? found : NO_HOST;
}

/* The host that may know the connection's client end. */
static size_t host_of(const struct join *join, const struct connection *connection)
{
	const struct assessment *assessment = join->assessment;
	const struct endpoint *client = &connection->backend->client;
	bool is_known = connection->end == CLIENT_END_HELD || connection->end == CLIENT_END_GONE;
	if (is_known || connection->seen_here || connection->process != NO_PROCESS)
		return NO_HOST;
	if (client->family == AF_UNIX)
		return assessment->place.here ? NO_HOST : join->server;
	if (client->family != AF_INET && client->family != AF_INET6)
		return NO_HOST;
	if (map_get(join->sessions, endpoint_key(client)) != 1)
		return NO_HOST;
	if (endpoint_is_loopback(client))
		return assessment->place.network_here ? NO_HOST : join->server;
	if (is_this_machines(assessment->peers, client))
		return NO_HOST;
	return host_of_address(assessment, client);
}

static struct asked_end end_of(const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	bool is_unix = backend->client.family == AF_UNIX;
	return (struct asked_end){ backend->client, is_unix ? backend->pid : 0 };
}

static const struct connection *find_before(
	const struct join *join, const struct connection *connection)
{
	uint32_t index = map_get(join->before, identity(connection->backend));
	return index == MAP_NONE ? NULL : &join->previous->connections[index];
}

/* Takes over what the previous assessment knew about this session. */
static void remember(
	const struct join *join, struct connection *connection, const struct connection *before)
{
	connection->polled_first = join->assessment->activity->asked_monotonic;
	if (!before || before->polled_first == 0)
		return;
	connection->polled_first = before->polled_first;
	connection->host_run = before->host_run;
	connection->host_missed = before->host_missed;
}

static void set_process(struct join *join, struct connection *connection,
	const struct host_ends *latest, uint32_t process)
{
	const struct process *found = &latest->processes[process];
	connection->process = connection->owner =
		client_processes_add(join->processes, found, found->ended_at == INSTANT_UNKNOWN);
	connection->matched_by = MATCHED_HOST;
}

/* An end that is gone does not come back; its process is shown as it was. */
static void keep_gone(
	struct join *join, struct connection *connection, const struct connection *before)
{
	if (before->end == CLIENT_END_GONE && before->host_run)
		connection->end = CLIENT_END_GONE;
	if (connection->process != NO_PROCESS || before->owner == NO_PROCESS ||
		!join->previous->processes[before->owner].process.host)
		return;
	connection->process = connection->owner =
		client_processes_recall(join->processes, &join->previous->processes[before->owner]);
	connection->matched_by = MATCHED_HOST;
}

/* The agent says that nobody has the end: of one run, the second such answer counts. */
static void note_missing(
	const struct join *join, struct connection *connection, const struct host_ends *latest)
{
	if (connection->host_run != latest->run)
		return;
	if (!connection->host_missed)
		connection->host_missed = latest->number;
	else if (latest->number > connection->host_missed &&
		join->assessment->activity->asked_monotonic >= latest->answered_at)
		connection->end = CLIENT_END_GONE;
}

static void join_row(struct join *join, struct connection *connection,
	const struct connection *before, const struct host_ends *latest, const struct host_end *row)
{
	if (row->process != NO_PROCESS)
		set_process(join, connection, latest, row->process);
	switch (row->state) {
	case HOST_END_HELD:
		connection->end = CLIENT_END_HELD;
		connection->shared_by = row->shared_by;
		connection->host_run = latest->run;
		connection->host_missed = 0;
		break;
	case HOST_END_HIDDEN:
		connection->end = CLIENT_END_NOT_VISIBLE;
		connection->host_missed = 0;
		break;
	case HOST_END_NONE: note_missing(join, connection, latest); break;
	case HOST_END_UNKNOWN: break;
	}
	if (before && (row->state == HOST_END_NONE || row->state == HOST_END_UNKNOWN))
		keep_gone(join, connection, before);
}

static void want(struct asked_host *host, const struct asked_end *end)
{
	host->wanted[host->n_wanted++] = *end;
}

static void join_one(struct join *join, struct connection *connection)
{
	size_t index = host_of(join, connection);
	const struct connection *before = find_before(join, connection);
	remember(join, connection, before);
	/* the agent forgets an end that it is not asked about, and so do we */
	if (index == NO_HOST) {
		connection->host_run = connection->host_missed = 0;
		return;
	}
	struct asked_host *host = &join->assessment->hosts[index];
	const struct asked_end end = end_of(connection);
	want(host, &end);
	uint32_t at = map_get(join->ends[index], asked_end_key(&end));
	const struct host_end *row = at == MAP_NONE ? NULL : &host->latest->ends[at];
	/* an older answer may be about another connection with the same address */
	if (row && asked_end_equal(&row->end, &end) &&
		host->latest->asked_at >= connection->polled_first) {
		join_row(join, connection, before, host->latest, row);
	} else {
		host->has_answered = false;
		if (before)
			keep_gone(join, connection, before);
	}
	if (connection->end == CLIENT_END_HELD || connection->end == CLIENT_END_GONE)
		connection->hidden_since = INSTANT_UNKNOWN;
}

void join_hosts(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes)
{
	struct join join = {
		.assessment = assessment, .previous = previous, .processes = processes
	};
	if (!assessment->n_hosts || !assessment->activity || !assessment->peers)
		return;
	index_all(&join);
	join.server = find_server(assessment);
	for (size_t i = 0; i < assessment->n_hosts; i++) {
		struct asked_host *host = &assessment->hosts[i];
		host->wanted = arena_array(
			assessment->arena, assessment->n_connections, sizeof(*host->wanted));
		host->has_answered = host->latest != NULL;
	}
	for (size_t i = 0; i < assessment->n_connections; i++)
		join_one(&join, &assessment->connections[i]);
}
