#include "analyze/held_ends.h"

#include <sys/socket.h>

#include "base/arena.h"
#include "base/map.h"

/* All sockets of a scan in one list, with the namespace of each. */
struct socket_row {
	const struct tcp_socket *socket;
	const struct peers_network *network; /* NULL: ours */
	uint32_t next; /* the next row with the same local end; MAP_NONE: none */
};

struct finding {
	const struct peers *peers;
	const struct held_server *server;
	struct arena *arena;
	struct socket_row *rows;
	size_t n_rows;
	struct map *by_local; /* the local end → the first row */
};

static bool is_server_port(const struct peers *peers, uint16_t port)
{
	const struct peers_target *target = &peers->target;
	return port == target->port || (target->server_port && port == target->server_port);
}

static void add_rows(struct finding *finding, const struct tcp_socket *sockets, size_t count,
	const struct peers_network *network)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t key = endpoint_key(&sockets[i].local);
		finding->rows[finding->n_rows] = (struct socket_row){ &sockets[i], network,
			map_get(finding->by_local, key) };
		map_set(finding->by_local, key, (uint32_t)finding->n_rows++);
	}
}

static void index_all(struct finding *finding)
{
	const struct peers *peers = finding->peers;
	size_t count = peers->n_tcp;
	for (size_t i = 0; i < peers->n_networks; i++)
		count += peers->networks[i].n_tcp;
	finding->rows = arena_array(finding->arena, count, sizeof(*finding->rows));
	finding->by_local = map_new(finding->arena, count);
	add_rows(finding, peers->tcp, peers->n_tcp, NULL);
	for (size_t i = 0; i < peers->n_networks; i++)
		add_rows(finding, peers->networks[i].tcp, peers->networks[i].n_tcp,
			&peers->networks[i]);
}

static uint64_t id_of(const struct finding *finding, const struct socket_row *row)
{
	return row->network ? row->network->id : finding->peers->network_id;
}

/* Whether this scan read the sockets of the namespace. One that has no process any more has no
 * sockets, if all processes were looked at. */
static bool is_read(const struct peers *peers, uint64_t network)
{
	if (network == peers->network_id)
		return peers->tcp_known;
	for (size_t i = 0; i < peers->n_networks; i++)
		if (peers->networks[i].id == network)
			return peers->networks[i].dumped && peers->networks[i].tcp_known;
	return peers->all_networks;
}

/* The only open socket with this local end that leads to the server's port: in this namespace, or
 * in any for 0; to this remote end, or to any for NULL. *ret_count is how many there are. */
static const struct socket_row *find_socket(const struct finding *finding,
	const struct endpoint *local, const struct endpoint *remote, uint64_t network,
	size_t *ret_count)
{
	const struct socket_row *found = NULL;
	uint32_t i = map_get(finding->by_local, endpoint_key(local));
	*ret_count = 0;
	for (; i != MAP_NONE; i = finding->rows[i].next) {
		const struct socket_row *row = &finding->rows[i];
		const struct tcp_socket *socket = row->socket;
		bool leads = remote ? endpoint_equal(&socket->remote, remote)
				    : is_server_port(finding->peers, socket->remote.port);
		/* the kernel keeps a socket without an open descriptor for a while */
		if (!socket->inode || !leads || !endpoint_equal(&socket->local, local) ||
			(network && id_of(finding, row) != network))
			continue;
		found = row;
		++*ret_count;
	}
	return *ret_count == 1 ? found : NULL;
}

static void set_holder(const struct peers *peers, struct held_end *end, uint32_t inode)
{
	size_t count;
	const struct socket_owner *owner = peers_owners(peers, inode, &count);
	end->state = owner ? HOST_END_HELD : HOST_END_HIDDEN;
	if (!owner)
		return;
	end->process = owner->process;
	end->shared_by = (int)count;
}

static void set_found(
	const struct finding *finding, struct held_end *end, const struct socket_row *row)
{
	end->was_found = true;
	end->network = id_of(finding, row);
	end->local = row->socket->local;
	end->remote = row->socket->remote;
	set_holder(finding->peers, end, row->socket->inode);
}

/* The only connection with this client end that our own namespace translates; NULL if there is
 * none.
 */
static const struct peers_nat *find_translation(
	const struct peers *peers, const struct endpoint *client)
{
	const struct peers_nat *found = NULL;
	for (size_t i = 0; i < peers->n_nat; i++) {
		const struct peers_nat *nat = &peers->nat[i];
		if (nat->network || !endpoint_equal(&nat->client_seen, client) ||
			!is_server_port(peers, nat->server_real.port))
			continue;
		if (found)
			return NULL;
		found = nat;
	}
	return found;
}

/* It was found before: it is there, or it is gone from there. */
static void look_again(const struct finding *finding, struct held_end *end)
{
	size_t count;
	const struct socket_row *row =
		find_socket(finding, &end->local, &end->remote, end->network, &count);
	if (row)
		set_found(finding, end, row);
	else if (count == 0 && is_read(finding->peers, end->network))
		end->state = HOST_END_NONE;
}

static void look_first(const struct finding *finding, struct held_end *end)
{
	const struct endpoint *client = &end->end.client;
	bool is_loopback = endpoint_is_loopback(client);
	uint64_t network = is_loopback ? finding->server->network : 0;
	size_t count;
	if (is_loopback && !finding->server->process)
		return;
	const struct socket_row *row = find_socket(finding, client, NULL, network, &count);
	const struct peers_nat *nat = count ? NULL : find_translation(finding->peers, client);
	if (nat) {
		network = endpoint_is_loopback(&nat->client) ? finding->peers->network_id : 0;
		row = find_socket(finding, &nat->client, &nat->server, network, &count);
	}
	if (row)
		set_found(finding, end, row);
	else if (count == 0 && finding->peers->tcp_known)
		end->state = HOST_END_NONE;
}

/* The pid that the server has for the process, if it may be one of the server's. */
static int32_t pid_at(const struct held_server *server, const struct process *process)
{
	if (process->pid_namespace != server->pids)
		return 0;
	return process->inner_pid ? process->inner_pid : process->pid;
}

/* The socket of this list that the backend has open; NULL. */
static const struct unix_socket *find_backend(const struct finding *finding,
	const struct unix_socket *rows, size_t n_rows, int32_t backend)
{
	for (size_t i = 0; i < n_rows; i++) {
		size_t count;
		const struct socket_owner *owners =
			peers_owners(finding->peers, rows[i].inode, &count);
		for (size_t k = 0; owners && k < count; k++)
			if (pid_at(finding->server,
				    &finding->peers->processes[owners[k].process]) == backend)
				return &rows[i];
	}
	return NULL;
}

/* Without the backend nothing is known: it may have ended since the question. */
static void look_at_unix(const struct finding *finding, struct held_end *end)
{
	const struct peers *peers = finding->peers;
	if (!finding->server->process || !peers->unix_known)
		return;
	const struct unix_socket *socket =
		find_backend(finding, peers->unix_sockets, peers->n_unix, end->end.backend);
	for (size_t i = 0; !socket && i < peers->n_networks; i++)
		socket = find_backend(finding, peers->networks[i].unix_sockets,
			peers->networks[i].n_unix, end->end.backend);
	if (socket && socket->peer && !socket->shut)
		set_holder(peers, end, socket->peer);
	else if (socket)
		end->state = HOST_END_NONE;
}

/* A backend of a server: PostgreSQL, by its executable. */
static const struct process *find_server_process(const struct peers *peers, uint32_t inode)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		if (peers->processes[owners[i].process].program == PROGRAM_POSTGRESQL)
			return &peers->processes[owners[i].process];
	return NULL;
}

/* Returns how many sockets of the list are the server's end. */
static size_t find_server_in(const struct peers *peers, const struct tcp_socket *rows,
	size_t n_rows, uint64_t network, const struct endpoint *own, struct held_server *server)
{
	size_t count = 0;
	for (size_t i = 0; i < n_rows; i++) {
		if (!endpoint_equal(&rows[i].remote, own) ||
			!is_server_port(peers, rows[i].local.port))
			continue;
		const struct process *process = find_server_process(peers, rows[i].inode);
		if (!process)
			continue;
		*server = (struct held_server){
			.process = process,
			.pid = process->inner_pid ? process->inner_pid : process->pid,
			.network = network,
			.pids = process->pid_namespace,
		};
		count++;
	}
	return count;
}

struct held_server held_ends_server(const struct peers *peers, const struct endpoint *own)
{
	struct held_server server = { 0 };
	if (own->family != AF_INET && own->family != AF_INET6)
		return server;
	size_t count =
		find_server_in(peers, peers->tcp, peers->n_tcp, peers->network_id, own, &server);
	for (size_t i = 0; i < peers->n_networks; i++)
		count += find_server_in(peers, peers->networks[i].tcp, peers->networks[i].n_tcp,
			peers->networks[i].id, own, &server);
	return count == 1 ? server : (struct held_server){ 0 };
}

void held_ends_update(const struct peers *peers, const struct held_server *server,
	struct held_end *ends, size_t n_ends)
{
	struct finding finding = { .peers = peers, .server = server, .arena = arena_new() };
	index_all(&finding);
	for (size_t i = 0; i < n_ends; i++) {
		struct held_end *end = &ends[i];
		end->state = HOST_END_UNKNOWN;
		end->process = UINT32_MAX;
		end->shared_by = 0;
		if (end->end.client.family == AF_UNIX)
			look_at_unix(&finding, end);
		else if (end->was_found)
			look_again(&finding, end);
		else
			look_first(&finding, end);
	}
	arena_free(finding.arena);
}
