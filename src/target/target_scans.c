/* Decides when this machine's sockets, processes and proxy are scanned.
 *
 * Sockets are scanned when rows show a new connection, and every few seconds to notice client ends
 * that are gone. Without a connection to the server they are scanned at each tick, because they are
 * the only source then. */
#include "target/target_scans.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "analyze/logins.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/backends.h"
#include "collect/clients.h"
#include "collect/proxy.h"
#include "model/assessment.h"
#include "model/bouncer.h"
#include "model/peers.h"
#include "session/session.h"
#include "target/poolers.h"
#include "target/target_assess.h"
#include "target/target_state.h"

/* For one scan the kernel walks its whole table of connections (measured: 1 to 2 ms for an empty
 * table of 262,144 buckets). New connections and processes that end cause a scan at once; the
 * regular scan finds sockets that a process closes while it lives on. */
#define SCAN_EVERY (5 * USEC_PER_SEC)

/* The interval between scans for the proxy: while a screen shows it, and otherwise. */
#define PROXY_OFTEN  (1 * USEC_PER_SEC)
#define PROXY_SELDOM (5 * USEC_PER_SEC)

/* Whether a search at that moment may have found the session. */
static bool was_searched(
	const struct assessment *assessment, const struct connection *connection, int64_t at)
{
	return at > connection->first_seen && at <= assessment->now;
}

/* Whether other namespaces or translated connections were not searched for the session, whose end
 * is not known. The first scan reads all namespaces, and need not know of translated connections if
 * all clients are at loopback addresses. */
static bool is_unsearched(const struct assessment *assessment, const struct connection *connection)
{
	const struct peers *peers = assessment->peers;
	const struct endpoint *client = &connection->backend->client;
	bool is_tcp = client->family == AF_INET || client->family == AF_INET6;
	if (!peers)
		return is_tcp && !endpoint_is_loopback(client);
	if (!connection->scanned || connection->end == CLIENT_END_HELD ||
		connection->end == CLIENT_END_GONE)
		return false;
	return !was_searched(assessment, connection, peers->searched_at) ||
		(is_tcp && !was_searched(assessment, connection, peers->translated_at));
}

/* A session of another machine is looked for once. Without an answer of the server all is. */
static bool wants_search(const struct target *target)
{
	const struct assessment *assessment = target->assessment;
	if (!assessment->peers && !assessment->activity)
		return true;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (is_unsearched(assessment, &assessment->connections[i]))
			return true;
	return false;
}

void target_begin_scan(struct target *target, bool fresh)
{
	struct peers_target where;
	session_locate(target->session, &where);
	if (where.server.family == AF_UNSPEC)
		return;
	const struct activity *activity = backends_latest(target->backends);
	if (activity && activity->server.port > 0 && activity->server.port <= UINT16_MAX)
		where.server_port = (uint16_t)activity->server.port;
	if (target->options.refresh_until_complete || wants_search(target))
		clients_search_networks(target->clients);
	target->last_scan = instant_monotonic();
	uint16_t *ports = mem_alloc((poolers_count(target->poolers) + 1) * sizeof(*ports));
	clients_set_ports(target->clients, ports, poolers_ports(target->poolers, ports));
	free(ports);
	clients_scan(target->clients, &where, fresh);
}

/* True if the last scan did not know this PgBouncer, or one of the clients that it lists. */
static bool has_new_client(const struct assessment *assessment, const struct bouncer *bouncer)
{
	if (!peers_port(assessment->peers, bouncer->port))
		return true;
	for (size_t i = 0; i < bouncer->n_clients; i++)
		if (bouncer->clients[i].first_seen > assessment->peers->dump_began)
			return true;
	return false;
}

bool target_needs_scan(const struct target *target)
{
	const struct assessment *assessment = target->assessment;
	if (target->options.scan_on_demand)
		return !assessment->peers;
	for (size_t i = 0; assessment->peers && i < assessment->n_bouncers; i++)
		if (has_new_client(assessment, assessment->bouncers[i]))
			return true;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (!assessment->connections[i].scanned)
			return true;
	return !assessment->activity || !assessment->peers || logins_need_dump(assessment) ||
		wants_search(target) || instant_monotonic() - target->last_scan >= SCAN_EVERY;
}

void target_scan_proxy(struct target *target, int64_t after)
{
	struct peers_target where;
	session_locate(target->session, &where);
	const struct proxy_own own = {
		.where = &where,
		.answers = session_is_ready(target->session) && !target_is_overdue(target) &&
			backends_latest(target->backends),
		.latency = session_state(target->session)->latency,
	};
	proxy_watch_scan(target->proxy, &own, after);
}

void target_keep_proxy_in_sight(struct target *target)
{
	target_scan_proxy(target, target->proxy_wanted ? PROXY_OFTEN : PROXY_SELDOM);
}
