/* Finds the application's socket that is a session's client end: by its address, or, for a Unix
 * socket, by the process that holds the server's end. */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "watch/watch_parts.h"

/* True if the backend holds the server's end of this Unix socket. */
static bool holds_socket(const struct peers *peers, uint32_t inode, int32_t pid)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		if (peers->processes[owners[i].process].pid == pid)
			return true;
	return false;
}

static bool is_end_of(const struct assessment *assessment, const struct watch_socket *socket,
	const struct backend *backend)
{
	if (socket->pooled)
		return false;
	if (socket->local.family == AF_UNIX)
		return backend->client.family == AF_UNIX && assessment->peers &&
			holds_socket(assessment->peers, socket->server_inode, backend->pid);
	return endpoint_equal(&socket->local, &backend->client);
}

static void chain(struct watch_ends *ends, struct map *map, uint64_t key, size_t socket)
{
	size_t room = ends->room; /* of both arrays */
	ends->next = mem_grow(ends->next, ends->count, &room, sizeof(*ends->next));
	ends->socket = mem_grow(ends->socket, ends->count, &ends->room, sizeof(*ends->socket));
	ends->next[ends->count] = map_get(map, key);
	ends->socket[ends->count] = (uint32_t)socket;
	map_set(map, key, (uint32_t)ends->count++);
}

static void chain_unix(
	struct watch_ends *ends, const struct peers *peers, uint32_t inode, size_t socket)
{
	size_t count;
	const struct socket_owner *owners = peers_owners(peers, inode, &count);
	for (size_t i = 0; owners && i < count; i++)
		chain(ends, ends->by_backend, (uint64_t)peers->processes[owners[i].process].pid,
			socket);
}

/* Adds the sockets from the last to the first, so that each chain begins with the first socket. */
void watch_list_ends(
	const struct watch *watch, const struct assessment *assessment, struct watch_ends *ends)
{
	*ends = (struct watch_ends){ .arena = arena_new() };
	ends->by_address = map_new(ends->arena, 0);
	ends->by_backend = map_new(ends->arena, 0);
	for (size_t i = watch->n_sockets; i-- > 0;) {
		const struct watch_socket *socket = &watch->sockets[i];
		if (socket->taken || socket->pooled)
			continue;
		if (socket->local.family != AF_UNIX)
			chain(ends, ends->by_address, endpoint_key(&socket->local), i);
		else if (assessment->peers && socket->server_inode)
			chain_unix(ends, assessment->peers, socket->server_inode, i);
	}
}

void watch_ends_deinit(struct watch_ends *ends)
{
	arena_free(ends->arena);
	free(ends->next);
	free(ends->socket);
}

struct watch_socket *watch_find_end(struct watch *watch, const struct assessment *assessment,
	const struct watch_ends *ends, const struct backend *backend)
{
	uint32_t i = backend->client.family == AF_UNIX
		? map_get(ends->by_backend, (uint64_t)backend->pid)
		: map_get(ends->by_address, endpoint_key(&backend->client));
	for (; i != MAP_NONE; i = ends->next[i]) {
		struct watch_socket *socket = &watch->sockets[ends->socket[i]];
		if (!socket->taken && is_end_of(assessment, socket, backend))
			return socket;
	}
	return NULL;
}
