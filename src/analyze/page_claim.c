/* Compares what stats pages claim with what the kernel shows of the sockets. */
#include "analyze/page_claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/proxy.h"

struct page_claims {
	const struct assessment *assessment;
	const struct backend *own; /* our own session's row, or NULL */
	struct map *at_server;     /* processes with a connection to the server */
	struct map *at_proxy;      /* processes with a connection to the local proxy */
};

static uint64_t identity(int32_t pid, uint64_t start_ticks)
{
	return map_mix((uint64_t)pid, start_ticks);
}

static void add_owners(const struct peers *peers, uint32_t inode, struct map *processes)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++) {
		const struct process *process = &peers->processes[owners[i].process];
		map_set(processes, identity(process->pid, process->start_ticks), owners[i].process);
	}
}

/* The processes that hold client ends of connections to the port. */
static struct map *list_connected(struct arena *arena, const struct peers *peers, uint16_t port)
{
	struct map *processes = map_new(arena, peers ? peers->n_processes : 0);
	for (size_t i = 0; peers && i < peers->n_tcp; i++)
		if (peers->tcp[i].remote.port == port)
			add_owners(peers, peers->tcp[i].inode, processes);
	for (size_t i = 0; peers && i < peers->n_unix; i++)
		add_owners(peers, peers->unix_sockets[i].peer, processes);
	return processes;
}

static const struct backend *own_backend(const struct assessment *assessment)
{
	const struct activity *activity = assessment->activity;
	for (size_t i = 0; activity && i < activity->n_backends; i++)
		if (activity->backends[i].pid == activity->server.own_pid)
			return &activity->backends[i];
	return NULL;
}

struct page_claims *page_claims_new(const struct assessment *assessment)
{
	struct page_claims *claims = arena_alloc(assessment->arena, sizeof(*claims));
	const struct peers *peers = assessment->peers;
	const struct proxy *proxy = assessment->proxy;
	*claims = (struct page_claims){
		.assessment = assessment,
		.own = own_backend(assessment),
		.at_server =
			list_connected(assessment->arena, peers, peers ? peers->target.port : 0),
		.at_proxy = list_connected(
			assessment->arena, proxy ? proxy->peers : NULL, proxy ? proxy->port : 0),
	};
	return claims;
}

static bool is_in(const struct map *processes, const struct pool_page *page)
{
	return page->owner_visible &&
		map_get(processes, identity(page->pid, page->start_ticks)) != MAP_NONE;
}

/* Whether the application_name of the session ends in /PID/SLOT of the page and the slot. */
static bool is_named(const struct connection *connection, const struct pool_page *page,
	const struct pool_slot *slot)
{
	char end[40];
	const char *name = connection->backend->application_name;
	size_t size = (size_t)snprintf(
		end, sizeof(end), "/%" PRId32 "/%" PRIu32, page->inner_pid, slot->number);
	size_t length = name ? strlen(name) : 0;
	return length >= size && strcmp(name + length - size, end) == 0;
}

/* Whether the process belongs to the user who wrote the page. A page of root may be of any user's
 * process: a service may have dropped its privileges after it made the page. */
static bool is_of_user(const struct process *process, const struct pool_page *page)
{
	return page->uid == 0 || process->uid == page->uid;
}

/* The process of the page among the owners of the client's end, or NULL. */
static const struct process *find_among_owners(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page)
{
	const struct peers *peers = claims->assessment->peers;
	size_t count;
	uint32_t inode = connection->far_inode ? connection->far_inode : connection->end_inode;
	const struct socket_owner *owners =
		peers && inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		if (pool_page_is_of(page, &peers->processes[owners[i].process]))
			return &peers->processes[owners[i].process];
	return NULL;
}

bool page_claim_is_agreed(const struct page_claims *claims, const struct connection *connection,
	const struct pool_page *page, const struct pool_slot *slot)
{
	return find_among_owners(claims, connection, page) || is_named(connection, page, slot);
}

static const struct process *owner_of(
	const struct page_claims *claims, const struct connection *connection)
{
	uint32_t owner = connection->forwarder ? connection->process : connection->owner;
	return owner == NO_PROCESS ? NULL : &claims->assessment->processes[owner].process;
}

/* None of this machine's sockets is the session's, and its client address is the one of our own
 * session: something between us and the server changes the addresses of both. */
static bool takes_our_way(const struct page_claims *claims, const struct connection *connection)
{
	const struct peers *peers = claims->assessment->peers;
	bool silent =
		connection->end == CLIENT_END_UNKNOWN || connection->end == CLIENT_END_ELSEWHERE;
	return silent && connection->scanned && peers->tcp_known && peers->unix_known &&
		claims->own && connection->backend != claims->own &&
		connection->backend->client.family == claims->own->client.family &&
		endpoint_same_address(&connection->backend->client, &claims->own->client);
}

/* Over a Unix socket the client is found through the descriptors of the backend. They cannot be
 * read if the backend is another user's process. */
static bool is_unreadable(const struct connection *connection)
{
	return connection->end == CLIENT_END_NOT_VISIBLE && !connection->end_inode;
}

/* A living process has the client's end, and it is neither the page's nor a forwarder's. */
static bool is_held_by_another(const struct connection *connection)
{
	return !connection->proxied && connection->end_inode != 0 &&
		(connection->end == CLIENT_END_HELD || connection->end == CLIENT_END_NOT_VISIBLE);
}

static const char *describe_page(
	const struct page_claims *claims, const struct pool_page *page, const char *says)
{
	return arena_printf(claims->assessment->arena,
		"the stats page of process %" PRId32 "%s, a file of uid %" PRIu32 ", %s", page->pid,
		page->status == POOL_PAGE_DEAD ? " (dead)" : "", page->uid, says);
}

static const char *say_held(const struct page_claims *claims, const struct connection *connection,
	const struct pool_page *page)
{
	struct arena *arena = claims->assessment->arena;
	const struct process *owner = owner_of(claims, connection);
	const char *who = "a process that this user cannot see";
	if (owner)
		who = arena_printf(arena, "%s (%" PRId32 ")", owner->name ? owner->name : "process",
			owner->pid);
	return arena_printf(arena, "%s, but %s holds the client's end: the kernel is right",
		describe_page(claims, page,
			page->status == POOL_PAGE_DEAD ? "says that its client is gone"
						       : "claims this session"),
		who);
}

/* A living page's process, as /proc describes it, or NULL. */
static const struct process *living_owner(const struct pool_page *page)
{
	return page->owner_visible ? page->process : NULL;
}

static enum page_claim judge_dead(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page, bool named,
	bool *ret_declared, const char **ret_evidence)
{
	if (is_held_by_another(connection)) {
		*ret_evidence = say_held(claims, connection, page);
		return PAGE_CLAIM_CONTRADICTED;
	}
	bool silent = connection->proxied || takes_our_way(claims, connection) ||
		is_unreadable(connection);
	if (!named || !silent)
		return PAGE_CLAIM_IGNORED;
	if (page->pid_taken) {
		*ret_evidence = arena_printf(claims->assessment->arena,
			"%s, but a process with that number lives",
			describe_page(claims, page, "says that its client is gone"));
		return PAGE_CLAIM_CONTRADICTED;
	}
	*ret_declared = page->dead_since <= claims->assessment->activity->asked_at;
	return PAGE_CLAIM_BELIEVED;
}

/* False if the process is known to be another one than the page's: of two containers that are
 * started together, each may have a process 7. */
static bool may_be_writer(const struct process *process, const struct pool_page *page)
{
	int32_t inner_pid = process->inner_pid ? process->inner_pid : process->pid;
	return !process->pid_namespace || !page->pid_namespace ||
		(process->pid_namespace == page->pid_namespace && inner_pid == page->inner_pid &&
			process->start_ticks == page->start_ticks);
}

/* A page from another pid namespace: its pid cannot be compared, its user and its name can. */
static enum page_claim judge_distant(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page, bool named)
{
	const struct process *owner = owner_of(claims, connection);
	if (!named)
		return PAGE_CLAIM_IGNORED;
	return owner && !connection->proxied && is_of_user(owner, page) &&
			may_be_writer(owner, page)
		? PAGE_CLAIM_BELIEVED
		: PAGE_CLAIM_PROTECTS;
}

static enum page_claim judge_live(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page, bool named,
	const char **ret_evidence)
{
	if (!page->owner_visible)
		return judge_distant(claims, connection, page, named);
	const struct process *owner = living_owner(page);
	bool is_writers = owner && is_of_user(owner, page);
	if (is_held_by_another(connection)) {
		*ret_evidence = say_held(claims, connection, page);
		/* Page and session name each other: there is a forwarder that dbtop
		 * does not know. */
		return is_writers && named ? PAGE_CLAIM_PROTECTS : PAGE_CLAIM_CONTRADICTED;
	}
	if (!is_writers)
		return PAGE_CLAIM_IGNORED;
	if (connection->proxied && is_in(claims->at_proxy, page))
		return PAGE_CLAIM_BELIEVED;
	bool silent = takes_our_way(claims, connection) || is_unreadable(connection);
	if (silent && named && is_in(claims->at_server, page))
		return PAGE_CLAIM_BELIEVED;
	return named ? PAGE_CLAIM_PROTECTS : PAGE_CLAIM_IGNORED;
}

/* A session of PgBouncer outlives its clients: it belongs to the client that is linked now. */
static enum page_claim judge_bouncer(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page)
{
	const struct client_process *client = connection->bouncer_client
		? assessment_process(claims->assessment, connection)
		: NULL;
	return client && pool_page_is_of(page, &client->process) &&
			is_of_user(&client->process, page)
		? PAGE_CLAIM_BELIEVED
		: PAGE_CLAIM_IGNORED;
}

/* Whether the session was of this page: by the last known owner of the client end, or else by the
 * name of the session. */
static bool was_of_page(const struct page_claims *claims, const struct connection *connection,
	const struct pool_page *page, bool named)
{
	const struct process *owner = owner_of(claims, connection);
	return owner ? pool_page_is_of(page, owner) : named;
}

/* A page of another machine is believed only about the sessions that its own process holds, as the
 * dbtop there says. */
static enum page_claim judge_host(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page)
{
	const struct process *owner = owner_of(claims, connection);
	return owner && connection->matched_by == MATCHED_HOST && pool_page_is_of(page, owner) &&
			is_of_user(owner, page)
		? PAGE_CLAIM_BELIEVED
		: PAGE_CLAIM_IGNORED;
}

enum page_claim page_claim_judge(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page,
	const struct pool_slot *slot, bool *ret_declared, const char **ret_evidence)
{
	bool named = is_named(connection, page, slot);
	const struct process *owner = find_among_owners(claims, connection, page);
	*ret_declared = false;
	*ret_evidence = NULL;
	if (page->host)
		return judge_host(claims, connection, page);
	if (connection->bouncer_server)
		return judge_bouncer(claims, connection, page);
	if (connection->end == CLIENT_END_GONE)
		return was_of_page(claims, connection, page, named) ? PAGE_CLAIM_BELIEVED
								    : PAGE_CLAIM_IGNORED;
	if (owner)
		return is_of_user(owner, page) ? PAGE_CLAIM_BELIEVED : PAGE_CLAIM_IGNORED;
	if (page->status == POOL_PAGE_DEAD)
		return judge_dead(claims, connection, page, named, ret_declared, ret_evidence);
	return judge_live(claims, connection, page, named, ret_evidence);
}
