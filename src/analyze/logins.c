/* Compares the sockets to the server with its rows. A socket may be missing in the rows because its
 * session has just ended, or is younger than the rows; so one that has no session is proven by two
 * dumps with rows between them. */
#include "analyze/logins.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "analyze/client_processes.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"

struct logins {
	struct arena *arena; /* of the indexes */
	struct assessment *assessment;
	const struct assessment *previous;
	const struct peers *peers;
	const struct activity *activity;
	struct map *rows_by_end;    /* client's address → index into the rows */
	struct map *rows_by_pid;    /* made when the first one is looked for */
	struct map *ends_by_client; /* client's address → index into peers->tcp, of its end;
				       made when the first one is looked for */
	struct map *addresses;      /* of the server: those that carry one of its sessions */
	struct map *before;         /* identity → index into previous->sessionless */
	bool *claimed;              /* the rows whose socket was found */
	int32_t postmaster;         /* the parent of our own backend; 0: not known */
	size_t sessionless_room, logins_room;
	size_t n_doubtful;
	size_t n_strange; /* Unix sockets of this port that may be another server's */
	bool has_hidden;
};

static bool has_client(const struct backend *backend)
{
	return backend->kind != BACKEND_OTHER && (backend->kind != BACKEND_HIDDEN || backend->user);
}

static void index_rows(struct logins *logins)
{
	const struct activity *activity = logins->activity;
	for (size_t i = 0; i < activity->n_backends; i++) {
		const struct backend *backend = &activity->backends[i];
		if (backend->client.family == AF_INET || backend->client.family == AF_INET6)
			map_set(logins->rows_by_end, endpoint_key(&backend->client), (uint32_t)i);
		logins->has_hidden |= backend->kind == BACKEND_HIDDEN && has_client(backend);
	}
}

static uint64_t address_key(struct endpoint address)
{
	address.port = 0;
	return endpoint_key(&address);
}

static uint64_t identity(const struct sessionless *socket)
{
	return map_mix(socket->inode, endpoint_key(&socket->client));
}

static void index_sockets(struct logins *logins)
{
	const struct peers *peers = logins->peers;
	struct endpoint known = peers->target.server; /* most sockets have the same address */
	map_set(logins->addresses, address_key(known), 0);
	for (size_t i = 0; i < peers->n_tcp; i++) {
		const struct tcp_socket *socket = &peers->tcp[i];
		if (socket->local.port != peers->target.port ||
			endpoint_same_address(&socket->local, &known) ||
			map_get(logins->rows_by_end, endpoint_key(&socket->remote)) == MAP_NONE)
			continue;
		known = socket->local;
		map_set(logins->addresses, address_key(known), 0);
	}
	for (size_t i = 0; i < peers->n_processes; i++)
		if (logins->assessment->place.here &&
			peers->processes[i].pid == peers->target.backend_pid)
			logins->postmaster = peers->processes[i].parent;
	for (size_t i = 0; logins->previous && i < logins->previous->n_sessionless; i++)
		map_set(logins->before, identity(&logins->previous->sessionless[i]), (uint32_t)i);
}

/* Whether the server's end is held by our server: by one of its backends, or, shortly after it was
 * accepted, by the postmaster. */
static bool is_ours(const struct logins *logins, uint32_t inode)
{
	size_t count;
	const struct socket_owner *owners = peers_owners(logins->peers, inode, &count);
	for (size_t i = 0; logins->postmaster && i < count; i++) {
		const struct process *process = &logins->peers->processes[owners[i].process];
		if (process->parent == logins->postmaster || process->pid == logins->postmaster)
			return true;
	}
	return false;
}

/* The index of the row with this pid; MAP_NONE. */
static uint32_t row_of(struct logins *logins, int32_t pid)
{
	const struct activity *activity = logins->activity;
	bool is_new = !logins->rows_by_pid;
	if (is_new)
		logins->rows_by_pid = map_new(logins->arena, activity->n_backends);
	for (size_t i = 0; is_new && i < activity->n_backends; i++)
		map_set(logins->rows_by_pid, (uint64_t)activity->backends[i].pid, (uint32_t)i);
	return map_get(logins->rows_by_pid, (uint64_t)pid);
}

/* Whether a row is the session of this socket. If not, *ret_seen: whether the backend that holds
 * the server's end can be seen. */
static bool has_session(
	struct logins *logins, const struct endpoint *client, uint32_t inode, bool *ret_seen)
{
	size_t count = 0;
	const struct socket_owner *owners = NULL;
	uint32_t row = client->family == AF_UNIX
		? MAP_NONE
		: map_get(logins->rows_by_end, endpoint_key(client));
	if (row == MAP_NONE && inode && logins->assessment->place.here)
		owners = peers_owners(logins->peers, inode, &count);
	*ret_seen = owners != NULL;
	for (size_t i = 0; row == MAP_NONE && i < count; i++)
		row = row_of(logins, logins->peers->processes[owners[i].process].pid);
	if (row != MAP_NONE)
		logins->claimed[row] = true;
	return row != MAP_NONE;
}

/* Takes over what the previous assessment knew of the same socket. */
static void remember(const struct logins *logins, struct sessionless *socket)
{
	const struct peers *peers = logins->peers;
	const struct activity *activity = logins->activity;
	uint32_t index = map_get(logins->before, identity(socket));
	const struct sessionless *before =
		index == MAP_NONE ? NULL : &logins->previous->sessionless[index];
	socket->since = peers->dump_ended;
	socket->polled_at = INSTANT_UNKNOWN;
	socket->is_first = !logins->previous || !logins->previous->peers;
	if (before && endpoint_equal(&before->client, &socket->client) &&
		before->is_doubtful == socket->is_doubtful) {
		socket->since = before->since;
		socket->polled_at = before->polled_at;
		socket->is_first = before->is_first;
		socket->is_proven = before->is_proven;
	}
	if (socket->polled_at == INSTANT_UNKNOWN && activity->asked_monotonic >= socket->since)
		socket->polled_at = activity->taken_monotonic;
	if (socket->polled_at != INSTANT_UNKNOWN && peers->dump_began >= socket->polled_at)
		socket->is_proven = true;
}

static void add(struct logins *logins, struct endpoint client, uint32_t inode,
	uint32_t client_inode, bool is_seen)
{
	struct assessment *assessment = logins->assessment;
	assessment->sessionless =
		arena_grow(assessment->arena, assessment->sessionless, assessment->n_sessionless,
			&logins->sessionless_room, sizeof(*assessment->sessionless));
	struct sessionless *socket = &assessment->sessionless[assessment->n_sessionless++];
	*socket = (struct sessionless){
		.client = client,
		.inode = inode,
		.client_inode = client_inode,
		.is_doubtful = !is_seen && (client.family == AF_UNIX || logins->has_hidden),
	};
	logins->n_doubtful += socket->is_doubtful;
	remember(logins, socket);
}

/* The inode of the client's end; 0: not known. */
static uint32_t client_inode(struct logins *logins, const struct endpoint *client)
{
	const struct peers *peers = logins->peers;
	bool is_new = !logins->ends_by_client;
	if (is_new)
		logins->ends_by_client = map_new(logins->arena, peers->n_tcp);
	for (size_t i = 0; is_new && i < peers->n_tcp; i++) {
		const struct tcp_socket *socket = &peers->tcp[i];
		if (socket->remote.port == peers->target.port && socket->inode)
			map_set(logins->ends_by_client, endpoint_key(&socket->local), (uint32_t)i);
	}
	uint32_t end = map_get(logins->ends_by_client, endpoint_key(client));
	return end == MAP_NONE ? 0 : peers->tcp[end].inode;
}

/* The server's ends, where they are in our table of sockets. */
static void list_server_ends(struct logins *logins)
{
	const struct peers *peers = logins->peers;
	for (size_t i = 0; i < peers->n_tcp; i++) {
		const struct tcp_socket *socket = &peers->tcp[i];
		bool is_seen;
		if (socket->local.port != peers->target.port || socket->state != TCP_ESTABLISHED ||
			has_session(logins, &socket->remote, socket->inode, &is_seen))
			continue;
		if (map_get(logins->addresses, address_key(socket->local)) == MAP_NONE &&
			!is_ours(logins, socket->inode))
			continue;
		add(logins, socket->remote, socket->inode, client_inode(logins, &socket->remote),
			is_seen);
	}
}

/* Of a server elsewhere: the clients' ends on this machine. */
static void list_client_ends(struct logins *logins)
{
	const struct peers *peers = logins->peers;
	for (size_t i = 0; i < peers->n_tcp; i++) {
		const struct tcp_socket *socket = &peers->tcp[i];
		bool is_seen;
		if (socket->remote.port == peers->target.port && socket->inode &&
			socket->state == TCP_ESTABLISHED &&
			endpoint_same_address(&socket->remote, &peers->target.server) &&
			!has_session(logins, &socket->local, 0, &is_seen))
			add(logins, socket->local, socket->inode, socket->inode, is_seen);
	}
}

static void list_unix_ends(struct logins *logins)
{
	const struct peers *peers = logins->peers;
	const struct endpoint client = { .family = AF_UNIX };
	bool over_unix = peers->target.server.family == AF_UNIX;
	for (size_t i = 0; i < peers->n_unix; i++) {
		const struct unix_socket *socket = &peers->unix_sockets[i];
		bool is_seen;
		bool is_target = over_unix && (socket->at_target || !peers->target.socket_inode);
		if (!socket->peer || socket->shut || (over_unix && !is_target) ||
			has_session(logins, &client, socket->inode, &is_seen))
			continue;
		if (is_target || is_ours(logins, socket->inode))
			add(logins, client, socket->inode, socket->peer, is_seen);
		else
			logins->n_strange += !is_seen;
	}
}

static struct login *login_of(
	struct logins *logins, uint32_t process, const struct endpoint *client)
{
	struct assessment *assessment = logins->assessment;
	struct endpoint address = *client;
	address.port = 0;
	if (process != NO_PROCESS)
		address = (struct endpoint){ .family = AF_UNSPEC };
	for (size_t i = 0; i < assessment->n_logins; i++) {
		struct login *login = &assessment->logins[i];
		if (login->process == process && endpoint_equal(&login->client, &address))
			return login;
	}
	assessment->logins = arena_grow(assessment->arena, assessment->logins, assessment->n_logins,
		&logins->logins_room, sizeof(*assessment->logins));
	struct login *login = &assessment->logins[assessment->n_logins++];
	*login = (struct login){ .process = process, .client = address };
	return login;
}

static void add_login(
	struct logins *logins, uint32_t process, const struct endpoint *client, uint32_t count)
{
	login_of(logins, process, client)->count += count;
	if (process != NO_PROCESS)
		logins->assessment->processes[process].logging_in += count;
}

/* The sessions whose socket is not known: each may have one of the doubtful sockets. */
static size_t count_unclaimed(const struct logins *logins)
{
	size_t count = 0;
	for (size_t i = 0; i < logins->activity->n_backends; i++) {
		const struct backend *backend = &logins->activity->backends[i];
		count += !logins->claimed[i] && has_client(backend) &&
			(backend->kind == BACKEND_HIDDEN || backend->client.family == AF_UNIX);
	}
	return count;
}

static int compare(const void *a, const void *b)
{
	const struct login *x = a, *y = b;
	return (x->count < y->count) - (x->count > y->count);
}

/* The doubtful sockets that are in a dump before the rows and in one after them. */
static size_t count_lasting(const struct logins *logins)
{
	size_t count = 0;
	for (size_t i = 0; i < logins->assessment->n_sessionless; i++) {
		const struct sessionless *socket = &logins->assessment->sessionless[i];
		count += socket->is_doubtful && socket->since <= logins->activity->asked_monotonic;
	}
	return count;
}

/* Whether the rows are from between two dumps. Before the first dump nothing is known to last. */
static bool are_rows_between_dumps(const struct logins *logins)
{
	const struct peers *before = logins->previous ? logins->previous->peers : NULL;
	return before && before->dump_ended <= logins->activity->asked_monotonic &&
		logins->peers->dump_began >= logins->activity->taken_monotonic;
}

static size_t excess(size_t sockets, size_t sessions)
{
	return sockets > sessions ? sockets - sessions : 0;
}

/* Doubtful sockets are logins as far as there are more of them than sessions that may have one. */
static void list_doubtful(struct logins *logins)
{
	struct assessment *assessment = logins->assessment;
	const struct endpoint unknown = { .family = AF_UNSPEC };
	struct doubtful_logins *doubtful = &assessment->doubtful;
	size_t n_unclaimed = count_unclaimed(logins);
	if (logins->previous)
		*doubtful = logins->previous->doubtful;
	doubtful->at_most = excess(logins->n_doubtful, n_unclaimed);
	if (are_rows_between_dumps(logins)) {
		doubtful->count = excess(count_lasting(logins), n_unclaimed);
		doubtful->is_decided = true;
	} else if (doubtful->count > doubtful->at_most) {
		doubtful->count = doubtful->at_most;
	}
	if (doubtful->count > 0)
		add_login(logins, NO_PROCESS, &unknown, (uint32_t)doubtful->count);
	assessment->logins_known &= logins->n_strange <= n_unclaimed &&
		(!logins->has_hidden || logins->n_doubtful == 0);
}

static void list_logins(struct logins *logins, struct client_processes *processes)
{
	struct assessment *assessment = logins->assessment;
	for (size_t i = 0; i < assessment->n_sessionless; i++) {
		const struct sessionless *socket = &assessment->sessionless[i];
		size_t count = 0;
		const struct socket_owner *owner = socket->client_inode
			? peers_owners(logins->peers, socket->client_inode, &count)
			: NULL;
		uint32_t process =
			owner ? client_processes_use(processes, owner->process) : NO_PROCESS;
		if (socket->is_proven && !socket->is_doubtful)
			add_login(logins, process, &socket->client, 1);
	}
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->backend->state == BACKEND_STATE_STARTING)
			add_login(logins, connection->process, &connection->backend->client, 1);
	}
	list_doubtful(logins);
	if (assessment->n_logins)
		qsort(assessment->logins, assessment->n_logins, sizeof(*assessment->logins),
			compare);
}

void logins_join(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes)
{
	const struct peers *peers = assessment->peers;
	const struct activity *activity = assessment->activity;
	if (!peers || !activity || assessment->server.pooler)
		return;
	struct arena *arena = arena_new();
	struct logins logins = {
		.arena = arena,
		.assessment = assessment,
		.previous = previous,
		.peers = peers,
		.activity = activity,
		.rows_by_end = map_new(arena, activity->n_backends),
		.addresses = map_new(arena, 4),
		.before = map_new(arena, previous ? previous->n_sessionless : 0),
		.claimed = arena_array(arena, activity->n_backends, sizeof(bool)),
	};
	assessment->logins_known =
		peers->tcp_known && peers->unix_known && assessment->place.network_here;
	index_rows(&logins);
	index_sockets(&logins);
	if (assessment->place.network_here)
		list_server_ends(&logins);
	else if (assessment->place.unchanged)
		list_client_ends(&logins);
	list_unix_ends(&logins);
	list_logins(&logins, processes);
	arena_free(arena);
}

void logins_count(struct assessment *assessment)
{
	struct slots *slots = &assessment->slots;
	int count = 0, with_a_row = 0;
	for (size_t i = 0; i < assessment->n_logins; i++)
		count += (int)assessment->logins[i].count;
	for (size_t i = 0; i < assessment->n_connections; i++)
		with_a_row += assessment->connections[i].backend->state == BACKEND_STATE_STARTING;
	slots->logging_in = assessment->logins_known ? count : -1;
	slots->used_at_most += count - with_a_row;
	if (slots->max >= 0 && slots->used_at_most > slots->max && count > with_a_row)
		slots->used_at_most = slots->max;
}

bool logins_are_pending(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_sessionless; i++) {
		const struct sessionless *socket = &assessment->sessionless[i];
		if (socket->is_first && !socket->is_proven && !socket->is_doubtful)
			return true;
	}
	return assessment->doubtful.at_most > 0 && !assessment->doubtful.is_decided;
}

bool logins_need_dump(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_sessionless; i++) {
		const struct sessionless *socket = &assessment->sessionless[i];
		if (!socket->is_proven && !socket->is_doubtful &&
			socket->polled_at != INSTANT_UNKNOWN)
			return true;
	}
	return assessment->doubtful.at_most != assessment->doubtful.count;
}
