/* Finds processes behind the proxy by names and sockets. */
#include "analyze/join_proxy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/client_processes.h"
#include "base/arena.h"
#include "base/instant.h"
#include "model/proxy.h"

/* Reads a number of at most nine digits before `end`; the byte before it must be '/'. */
static const char *number_before(const char *name, const char *end, int32_t *ret_number)
{
	const char *at = end;
	while (at > name && isdigit((unsigned char)at[-1]))
		at--;
	if (at == end || end - at > 9 || at == name || at[-1] != '/')
		return NULL;
	*ret_number = 0;
	for (const char *digit = at; digit < end; digit++)
		*ret_number = *ret_number * 10 + (*digit - '0');
	return at - 1;
}

bool join_proxy_read_name(const char *application_name, int32_t *ret_pid)
{
	int32_t slot, pid;
	if (!application_name)
		return false;
	const char *end =
		number_before(application_name, application_name + strlen(application_name), &slot);
	if (end)
		end = number_before(application_name, end, &pid);
	if (!end || end == application_name || pid <= 0)
		return false;
	*ret_pid = pid;
	return true;
}

/* The join's data about the proxy: the processes that are connected to it. */
struct join {
	struct assessment *assessment;
	const struct peers *peers; /* the proxy's */
	struct client_processes *processes;
	uint32_t *clients; /* index of a process of `peers` → index into proxy_clients, or NONE */
};

#define NONE UINT32_MAX

static uint32_t use_process(struct join *join, const struct process *process)
{
	uint32_t found = client_processes_find(join->processes, process->pid, process->start_ticks);
	return found != NO_PROCESS ? found
				   : client_processes_add(join->processes, process,
					     process->ended_at == INSTANT_UNKNOWN);
}

static void add_socket(struct join *join, uint32_t peer)
{
	struct assessment *assessment = join->assessment;
	if (join->clients[peer] == NONE) {
		join->clients[peer] = (uint32_t)assessment->n_proxy_clients;
		assessment->proxy_clients[assessment->n_proxy_clients++] = (struct proxy_client){
			.process = use_process(join, &join->peers->processes[peer]),
		};
	}
	assessment->proxy_clients[join->clients[peer]].sockets++;
}

/* An inherited socket counts for the first process that holds it. */
static void list_clients(struct join *join)
{
	const struct peers *peers = join->peers;
	struct assessment *assessment = join->assessment;
	assessment->proxy_clients = arena_array(
		assessment->arena, peers->n_processes, sizeof(*assessment->proxy_clients));
	for (size_t i = 0; i < peers->n_processes; i++)
		join->clients[i] = NONE;
	for (size_t i = 0; i < peers->n_tcp; i++) {
		size_t count;
		const struct socket_owner *owner = peers_owners(peers, peers->tcp[i].inode, &count);
		if (owner && peers->tcp[i].inode &&
			!proxy_is_process(assessment->proxy, &peers->processes[owner->process]))
			add_socket(join, owner->process);
	}
	for (size_t i = 0; i < peers->n_unix; i++) {
		size_t count;
		uint32_t peer = peers->unix_sockets[i].peer;
		const struct socket_owner *owner = peer ? peers_owners(peers, peer, &count) : NULL;
		if (owner &&
			!proxy_is_process(assessment->proxy, &peers->processes[owner->process]))
			add_socket(join, owner->process);
	}
}

static const struct backend *own_backend(const struct assessment *assessment)
{
	const struct activity *activity = assessment->activity;
	for (size_t i = 0; i < activity->n_backends; i++)
		if (activity->backends[i].pid == activity->server.own_pid)
			return &activity->backends[i];
	return NULL;
}

static bool goes_through(const struct assessment *assessment, const struct connection *connection,
	const struct backend *own)
{
	if (connection->owner != NO_PROCESS)
		return proxy_is_process(
			assessment->proxy, &assessment->processes[connection->owner].process);
	return assessment->proxy->our_path && own && connection->backend->kind == BACKEND_CLIENT &&
		connection->backend->client.family == own->client.family &&
		endpoint_same_address(&connection->backend->client, &own->client);
}

/* The proxy client with this pid, by its index into the assessment's processes; or NULL. */
static struct proxy_client *client_of(const struct join *join, uint32_t process)
{
	struct assessment *assessment = join->assessment;
	for (size_t i = 0; i < assessment->n_proxy_clients; i++)
		if (assessment->proxy_clients[i].process == process)
			return &assessment->proxy_clients[i];
	return NULL;
}

static struct proxy_client *client_with_pid(const struct join *join, int32_t pid)
{
	const struct assessment *assessment = join->assessment;
	for (size_t i = 0; i < assessment->n_proxy_clients; i++) {
		struct proxy_client *client = &join->assessment->proxy_clients[i];
		const struct client_process *process = &assessment->processes[client->process];
		if (process->alive && !process->process.host && process->process.pid == pid)
			return client;
	}
	return NULL;
}

/* Our own client end is known: it is dbtop's. */
static struct proxy_client *own_client(const struct join *join)
{
	const struct peers *peers = join->assessment->peers;
	size_t count;
	const struct socket_owner *own = peers && peers->target.own_inode
		? peers_owners(join->peers, peers->target.own_inode, &count)
		: NULL;
	if (own && join->clients[own->process] != NONE)
		return &join->assessment->proxy_clients[join->clients[own->process]];
	for (size_t i = 0; peers && i < join->peers->n_tcp; i++) {
		const struct tcp_socket *socket = &join->peers->tcp[i];
		const struct socket_owner *owner = peers_owners(join->peers, socket->inode, &count);
		if (owner && endpoint_equal(&socket->local, &peers->target.own) &&
			join->clients[owner->process] != NONE)
			return &join->assessment->proxy_clients[join->clients[owner->process]];
	}
	return NULL;
}

static void join_one(
	const struct join *join, struct connection *connection, const struct backend *own)
{
	int32_t pid;
	struct proxy_client *client = NULL;
	if (connection->matched_by == MATCHED_PAGE || connection->matched_by == MATCHED_PGBOUNCER)
		client = client_of(join, connection->process);
	else if (connection->backend == own && join->assessment->proxy->our_path)
		client = own_client(join);
	else if (join_proxy_read_name(connection->backend->application_name, &pid))
		client = client_with_pid(join, pid);
	if (!client)
		return;
	client->matched++;
	if (connection->matched_by == MATCHED_PAGE || connection->matched_by == MATCHED_PGBOUNCER)
		return;
	connection->process = client->process;
	connection->matched_by = MATCHED_PROXY;
}

static int compare_clients(const void *a, const void *b)
{
	const struct proxy_client *x = a, *y = b;
	if (x->sockets != y->sockets)
		return x->sockets > y->sockets ? -1 : 1;
	return (x->process > y->process) - (x->process < y->process);
}

/* Whether there is a proxy whose clients are known. */
static bool has_clients(const struct proxy *proxy)
{
	return proxy && proxy->status >= PROXY_LISTENING && proxy->peers;
}

void join_proxy_mark(struct assessment *assessment)
{
	if (!has_clients(assessment->proxy))
		return;
	const struct backend *own = assessment->activity ? own_backend(assessment) : NULL;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		struct connection *connection = &assessment->connections[i];
		connection->proxied = goes_through(assessment, connection, own);
	}
}

void join_proxy(struct assessment *assessment, struct client_processes *processes)
{
	const struct proxy *proxy = assessment->proxy;
	if (!has_clients(proxy))
		return;
	struct join join = {
		.assessment = assessment,
		.peers = proxy->peers,
		.processes = processes,
		.clients = arena_array(
			assessment->arena, proxy->peers->n_processes, sizeof(*join.clients)),
	};
	list_clients(&join);
	const struct backend *own = assessment->activity ? own_backend(assessment) : NULL;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].proxied)
			join_one(&join, &assessment->connections[i], own);
	if (assessment->n_proxy_clients)
		qsort(assessment->proxy_clients, assessment->n_proxy_clients,
			sizeof(*assessment->proxy_clients), compare_clients);
}
