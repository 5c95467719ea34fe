#include "analyze/networks.h"

#include <netinet/tcp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

/* /proc counts a process's start in ticks of 10 ms from a boot time that is rounded, too. */
#define START_TOLERANCE (2 * USEC_PER_SEC)

#define NO_ROW UINT32_MAX

/* The maximum number of translations of one connection. */
#define MOST_HOPS 4

/* One namespace. Sockets with the same end are chained. */
struct network {
	struct peers_network rows;
	struct map *by_local;               /* address and port → the first row */
	struct map *by_remote;              /* the same, with a server's port at the local end */
	uint32_t *next_local, *next_remote; /* of each row; NO_ROW ends a chain */
};

struct networks {
	const struct peers *peers;
	const struct activity *activity;
	struct map *sessions; /* client's address and port → how many sessions have it */
	struct map *nat; /* client's address and port as the server has them → the first row */
	uint32_t *next_nat;
	struct network *items;
	size_t count;
	size_t server;
	bool unchanged;
	bool all_known; /* the addresses of all namespaces are known */
};

static bool is_server_port(const struct peers_target *target, uint16_t port)
{
	return port == target->port || (target->server_port && port == target->server_port);
}

static void chain(struct map *map, uint32_t *next, const struct endpoint *end, uint32_t row)
{
	next[row] = map_swap(map, endpoint_key(end), row);
}

/* Rows are added from the last to the first, so that each chain is in their order. */
static void index_rows(
	const struct peers_target *target, struct arena *arena, struct network *network)
{
	size_t n = network->rows.n_tcp, n_server = 0;
	for (size_t i = 0; i < n; i++)
		n_server += is_server_port(target, network->rows.tcp[i].local.port);
	network->by_local = map_new(arena, n);
	network->by_remote = map_new(arena, n_server);
	network->next_local = arena_array(arena, n, sizeof(*network->next_local));
	network->next_remote = arena_array(arena, n, sizeof(*network->next_remote));
	for (size_t i = n; i-- > 0;) {
		const struct tcp_socket *socket = &network->rows.tcp[i];
		chain(network->by_local, network->next_local, &socket->local, (uint32_t)i);
		if (is_server_port(target, socket->local.port))
			chain(network->by_remote, network->next_remote, &socket->remote,
				(uint32_t)i);
	}
}

static void count_sessions(struct networks *networks)
{
	const struct activity *activity = networks->activity;
	for (size_t i = 0; activity && i < activity->n_backends; i++) {
		uint64_t key = endpoint_key(&activity->backends[i].client);
		uint32_t before = map_swap(networks->sessions, key, 1);
		if (before != MAP_NONE)
			map_set(networks->sessions, key, before + 1);
	}
}

struct networks *networks_new(
	const struct peers *peers, const struct activity *activity, struct arena *arena)
{
	struct networks *networks = arena_alloc(arena, sizeof(*networks));
	*networks = (struct networks){
		.peers = peers,
		.activity = activity,
		.sessions = map_new(arena, activity ? activity->n_backends : 0),
		.items = arena_array(arena, peers->n_networks + 1, sizeof(*networks->items)),
		.count = peers->n_networks + 1,
		.server = NETWORK_NONE,
		.all_known = true,
	};
	networks->items[NETWORK_OWN].rows = (struct peers_network){
		.id = peers->network_id,
		.dumped = true,
		.tcp_known = peers->tcp_known,
		.tcp = peers->tcp,
		.n_tcp = peers->n_tcp,
		.addresses = peers->local_addresses,
		.n_addresses = peers->n_local_addresses,
	};
	for (size_t i = 0; i < peers->n_networks; i++) {
		networks->items[i + 1].rows = peers->networks[i];
		networks->all_known &= peers->networks[i].hidden || peers->networks[i].tcp_known ||
			peers->networks[i].n_addresses > 0;
	}
	for (size_t i = 0; i < networks->count; i++)
		index_rows(&peers->target, arena, &networks->items[i]);
	count_sessions(networks);
	networks->nat = map_new(arena, peers->n_nat);
	networks->next_nat = arena_array(arena, peers->n_nat, sizeof(*networks->next_nat));
	for (size_t i = 0; i < peers->n_nat; i++)
		chain(networks->nat, networks->next_nat, &peers->nat[i].client_seen, (uint32_t)i);
	return networks;
}

void networks_place_server(struct networks *networks, size_t server, bool unchanged)
{
	networks->server = server;
	networks->unchanged = unchanged;
}

bool networks_is_backend(const struct process *process, const struct backend *backend)
{
	int32_t pid = process->inner_pid ? process->inner_pid : process->pid;
	return pid == backend->pid && backend->start != INSTANT_UNKNOWN &&
		process->started_at != INSTANT_UNKNOWN &&
		llabs(backend->start - process->started_at) <= START_TOLERANCE;
}

/* The owner of the socket that is the backend; NULL: none that is visible. */
static const struct socket_owner *find_backend(
	const struct peers *peers, uint32_t inode, const struct backend *backend)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		if (networks_is_backend(&peers->processes[owners[i].process], backend))
			return &owners[i];
	return NULL;
}

size_t networks_find_server(
	const struct networks *networks, const struct backend *own, uint32_t *ret_process)
{
	size_t found = NETWORK_NONE;
	for (size_t i = 0; i < networks->count; i++) {
		const struct network *network = &networks->items[i];
		uint32_t row = map_get(network->by_remote, endpoint_key(&own->client));
		for (; row != NO_ROW; row = network->next_remote[row]) {
			const struct socket_owner *owner =
				find_backend(networks->peers, network->rows.tcp[row].inode, own);
			if (!owner)
				continue;
			if (found != NETWORK_NONE && found != i)
				return NETWORK_NONE;
			found = i;
			*ret_process = owner->process;
		}
	}
	return found;
}

size_t networks_find(const struct networks *networks, uint64_t id)
{
	for (size_t i = 0; id && i < networks->count; i++)
		if (networks->items[i].rows.id == id)
			return i;
	return NETWORK_NONE;
}

uint64_t networks_id(const struct networks *networks, size_t network)
{
	return network < networks->count ? networks->items[network].rows.id : 0;
}

bool networks_are_sockets_known(const struct networks *networks, size_t network)
{
	return network < networks->count && networks->items[network].rows.dumped &&
		networks->items[network].rows.tcp_known;
}

static bool has_address(
	const struct networks *networks, size_t network, const struct endpoint *address)
{
	const struct peers_network *rows = &networks->items[network].rows;
	for (size_t i = 0; i < rows->n_addresses; i++)
		if (endpoint_same_address(&rows->addresses[i], address))
			return true;
	return false;
}

/* The only namespace that has the address. */
static size_t only_with_address(const struct networks *networks, const struct endpoint *address)
{
	size_t found = NETWORK_NONE;
	for (size_t i = 0; i < networks->count; i++) {
		if (!has_address(networks, i, address))
			continue;
		if (found != NETWORK_NONE)
			return NETWORK_AMBIGUOUS;
		found = i;
	}
	return found != NETWORK_NONE && !networks->all_known ? NETWORK_AMBIGUOUS : found;
}

size_t networks_of_address(const struct networks *networks, const struct endpoint *address)
{
	if (endpoint_is_loopback(address))
		return networks->server;
	if (networks->server != NETWORK_NONE && has_address(networks, networks->server, address))
		return networks->server;
	if (networks->unchanged && endpoint_same_address(address, &networks->peers->target.own) &&
		has_address(networks, NETWORK_OWN, address))
		return NETWORK_OWN;
	return only_with_address(networks, address);
}

bool networks_is_to_server(
	const struct networks *networks, size_t network, const struct tcp_socket *socket)
{
	const struct peers_target *target = &networks->peers->target;
	bool loopback = endpoint_is_loopback(&socket->remote);
	/* our own way to the server; behind a forwarder, the server itself may have the same
	 * address and another port */
	if (socket->remote.port == target->port &&
		endpoint_same_address(&socket->remote, &target->server) &&
		(network == NETWORK_OWN || !loopback))
		return true;
	if (network == NETWORK_OWN && peers_is_door(networks->peers, &socket->remote))
		return true;
	if (networks->server == NETWORK_NONE || !is_server_port(target, socket->remote.port))
		return false;
	return loopback ? network == networks->server
			: has_address(networks, networks->server, &socket->remote);
}

/* Whether several sessions have the client's end with this key. */
static bool is_shared(const struct networks *networks, uint64_t client)
{
	return map_get(networks->sessions, client) != 1;
}

/* Whether the socket is held by another session with the same client address and port: a port can
 * be used again before the server has noticed that its first user is gone. */
static bool is_siblings(const struct networks *networks, const struct tcp_socket *socket,
	const struct backend *backend, uint64_t client)
{
	const struct activity *activity = networks->activity;
	if (!is_shared(networks, client))
		return false;
	for (size_t i = 0; activity && i < activity->n_backends; i++) {
		const struct backend *other = &activity->backends[i];
		if (other != backend && endpoint_equal(&other->client, &backend->client) &&
			find_backend(networks->peers, socket->inode, other))
			return true;
	}
	return false;
}

/* The server's end of the backend's connection, or NULL; `client` is the key of the client's end.
 * *ret_certain: the backend is seen to hold it, or another session is seen to hold the only one
 * there is. */
static const struct tcp_socket *server_end(const struct networks *networks,
	const struct backend *backend, uint64_t client, bool *ret_certain)
{
	*ret_certain = false;
	if (networks->server == NETWORK_NONE)
		return NULL;
	const struct network *network = &networks->items[networks->server];
	const struct tcp_socket *found = NULL;
	uint32_t row = map_get(network->by_remote, client);
	for (; row != NO_ROW; row = network->next_remote[row]) {
		const struct tcp_socket *socket = &network->rows.tcp[row];
		if (find_backend(networks->peers, socket->inode, backend)) {
			*ret_certain = true;
			return socket;
		}
		if (is_siblings(networks, socket, backend, client))
			*ret_certain = true;
		else if (!found)
			found = socket;
	}
	*ret_certain &= !found;
	return found;
}

/* Whether our own connection reaches the server by an address that is not the server's. */
static bool is_translated(const struct networks *networks)
{
	const struct endpoint *server = &networks->peers->target.server;
	return networks->server != NETWORK_NONE && !endpoint_is_loopback(server) &&
		!has_address(networks, networks->server, server);
}

enum network_end networks_client_end(const struct networks *networks, size_t index,
	const struct backend *backend, const struct tcp_socket **ret_socket)
{
	const struct network *network = &networks->items[index];
	const struct tcp_socket *found = NULL;
	uint64_t client = endpoint_key(&backend->client);
	bool certain;
	const struct tcp_socket *far = server_end(networks, backend, client, &certain);
	uint32_t row = map_get(network->by_local, client);
	for (; row != NO_ROW; row = network->next_local[row]) {
		const struct tcp_socket *socket = &network->rows.tcp[row];
		/* the kernel keeps a socket without an open descriptor for a while */
		if (!socket->inode || !networks_is_to_server(networks, index, socket))
			continue;
		if (far && endpoint_equal(&socket->remote, &far->local)) {
			found = socket;
			break;
		}
		/* to another of the server's addresses: another connection */
		if (certain && (!far || !is_translated(networks)))
			continue;
		if (!found)
			found = socket;
	}
	*ret_socket = found;
	if (!certain && is_shared(networks, client))
		return NETWORK_END_UNCERTAIN;
	return found ? NETWORK_END_FOUND : NETWORK_END_MISSING;
}

/* Without the server's end, its address must be the one that we use ourselves. */
static bool leads_to_server(
	const struct networks *networks, const struct peers_nat *nat, const struct tcp_socket *far)
{
	if (far)
		return endpoint_equal(&nat->server_real, &far->local);
	return networks->server == NETWORK_NONE &&
		endpoint_equal(&nat->server_real, &networks->peers->target.server);
}

/* Another namespace may translate connections that have nothing to do with ours, but have the same
 * addresses. */
static bool is_certain(const struct networks *networks, const struct peers_nat *nat)
{
	return only_with_address(networks, &nat->client_seen) != NETWORK_AMBIGUOUS &&
		only_with_address(networks, &nat->server_real) != NETWORK_AMBIGUOUS;
}

/* What the client of a translated connection has may be translated, too, by another namespace. NULL
 * if it is not, or not certain. */
static const struct peers_nat *translated_before(
	const struct networks *networks, const struct peers_nat *after)
{
	const struct peers_nat *found = NULL;
	uint32_t row = endpoint_is_loopback(&after->client)
		? NO_ROW
		: map_get(networks->nat, endpoint_key(&after->client));
	for (; row != NO_ROW; row = networks->next_nat[row]) {
		const struct peers_nat *nat = &networks->peers->nat[row];
		if (!endpoint_equal(&nat->server_real, &after->server) ||
			!is_certain(networks, nat))
			continue;
		if (found)
			return NULL;
		found = nat;
	}
	return found;
}

bool networks_translate(const struct networks *networks, const struct backend *backend,
	struct networks_end *ret_end)
{
	if (!networks->peers->n_nat)
		return false;
	uint64_t client = endpoint_key(&backend->client);
	bool certain;
	const struct tcp_socket *far = server_end(networks, backend, client, &certain);
	const struct peers_nat *found = NULL;
	uint32_t row = map_get(networks->nat, client);
	if (!certain && is_shared(networks, client))
		return false;
	for (; row != NO_ROW; row = networks->next_nat[row]) {
		const struct peers_nat *nat = &networks->peers->nat[row];
		if (!leads_to_server(networks, nat, far) ||
			(nat->network && !is_certain(networks, nat)))
			continue;
		if (found)
			return false;
		found = nat;
	}
	for (int hop = 1; found && hop < MOST_HOPS; hop++) {
		const struct peers_nat *before = translated_before(networks, found);
		if (!before)
			break;
		found = before;
	}
	if (found)
		*ret_end = (struct networks_end){ found->client, found->server, found->network };
	return found != NULL;
}

size_t networks_of_end(const struct networks *networks, const struct networks_end *end)
{
	size_t home = end->network ? networks_find(networks, end->network) : NETWORK_OWN;
	if (endpoint_is_loopback(&end->local) ||
		(home != NETWORK_NONE && has_address(networks, home, &end->local)))
		return home;
	return only_with_address(networks, &end->local);
}

const struct tcp_socket *networks_socket(
	const struct networks *networks, size_t index, const struct networks_end *end)
{
	const struct network *network = &networks->items[index];
	uint32_t row = map_get(network->by_local, endpoint_key(&end->local));
	for (; row != NO_ROW; row = network->next_local[row]) {
		const struct tcp_socket *socket = &network->rows.tcp[row];
		if (socket->inode && endpoint_equal(&socket->remote, &end->remote))
			return socket;
	}
	return NULL;
}

bool networks_is_server_end_closed(const struct networks *networks, const struct backend *backend)
{
	bool certain;
	const struct tcp_socket *end =
		server_end(networks, backend, endpoint_key(&backend->client), &certain);
	return !end || end->state != TCP_ESTABLISHED;
}
