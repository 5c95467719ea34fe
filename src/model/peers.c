/* Memory of the peers block, and finding the owners of a socket. */
#include "model/peers.h"

#include <string.h>

#include "base/arena.h"
#include "base/instant.h"

struct peers *peers_new(void)
{
	struct arena *arena = arena_new();
	struct peers *peers = arena_alloc(arena, sizeof(*peers));
	*peers = (struct peers){
		.arena = arena,
		.refs = 1,
		.backend_started_at = INSTANT_UNKNOWN,
		.dumped_at = INSTANT_UNKNOWN,
		.dump_began = INSTANT_UNKNOWN,
		.dump_ended = INSTANT_UNKNOWN,
		.scanned_at = INSTANT_UNKNOWN,
		.searched_at = INSTANT_UNKNOWN,
		.translated_at = INSTANT_UNKNOWN,
	};
	return peers;
}

struct peers *peers_ref(const struct peers *peers)
{
	struct peers *shared = (struct peers *)peers;
	shared->refs++;
	return shared;
}

void peers_unref(const struct peers *peers)
{
	struct peers *shared = (struct peers *)peers;
	if (shared && --shared->refs == 0)
		arena_free(shared->arena);
}

struct process process_copy(struct arena *arena, const struct process *from)
{
	struct process copy = *from;
	copy.name = arena_strdup(arena, from->name);
	copy.command = arena_strdup(arena, from->command);
	copy.user = arena_strdup(arena, from->user);
	copy.unit = arena_strdup(arena, from->unit);
	copy.container = arena_strdup(arena, from->container);
	copy.container_id = arena_strdup(arena, from->container_id);
	copy.image = arena_strdup(arena, from->image);
	copy.host = arena_strdup(arena, from->host);
	return copy;
}

const struct socket_owner *peers_owners(
	const struct peers *peers, uint32_t inode, size_t *ret_count)
{
	/* No branch depends on the data: the processor would predict half of them wrongly. */
	size_t low = 0;
	for (size_t left = peers->n_owners; left > 0; left /= 2) {
		size_t half = left - left / 2;
		low += peers->owners[low + half - 1].inode < inode ? half : 0;
	}
	size_t end = low;
	while (end < peers->n_owners && peers->owners[end].inode == inode)
		end++;
	*ret_count = end - low;
	return end > low ? &peers->owners[low] : NULL;
}

bool peers_is_local(const struct peers *peers, const struct endpoint *endpoint)
{
	if (endpoint_is_loopback(endpoint))
		return true;
	for (size_t i = 0; i < peers->n_local_addresses; i++)
		if (endpoint_same_address(&peers->local_addresses[i], endpoint))
			return true;
	return false;
}

static bool is_unspecified(const struct endpoint *endpoint)
{
	static const uint8_t zero[16];
	return memcmp(endpoint->address, zero, sizeof(zero)) == 0;
}

bool peers_is_door(const struct peers *peers, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < peers->n_doors && peers_is_local(peers, endpoint); i++) {
		const struct endpoint *door = &peers->doors[i];
		if (endpoint_same_address(door, endpoint) ||
			(door->family == endpoint->family && is_unspecified(door)))
			return true;
	}
	return false;
}

const struct peers_port *peers_port(const struct peers *peers, uint16_t port)
{
	for (size_t i = 0; i < peers->n_ports; i++)
		if (peers->ports[i].port == port)
			return &peers->ports[i];
	return NULL;
}

static size_t add_port(uint16_t *ports, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i] == port)
			return count;
	if (port && count < PEERS_MOST_PORTS)
		ports[count++] = port;
	return count;
}

size_t peers_server_ports(const struct peers *peers, uint16_t ret_ports[static PEERS_MOST_PORTS])
{
	size_t count = 1;
	ret_ports[0] = peers->target.port;
	count = add_port(ret_ports, count, peers->target.server_port);
	for (size_t i = 0; i < peers->n_nat; i++)
		count = add_port(ret_ports, count, peers->nat[i].server.port);
	return count;
}
