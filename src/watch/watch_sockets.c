/* Lists the application's sockets, the processes that hold them, and when they are closed. */
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/follow.h"
#include "watch/watch_parts.h"

/* After the signal, a link to PgBouncer that lasts less than this is a cancel request. */
#define CANCEL_LASTS (50 * USEC_PER_MSEC)

static struct watch_socket *add_socket(struct watch *watch, const struct follow_socket *seen)
{
	watch->sockets = mem_grow(
		watch->sockets, watch->n_sockets, &watch->sockets_room, sizeof(*watch->sockets));
	struct watch_socket *socket = &watch->sockets[watch->n_sockets++];
	*socket = (struct watch_socket){
		.inode = seen->inode,
		.owner = seen->pid,
		.port = seen->port,
		.local = seen->local,
		.server_inode = seen->server_inode,
		.pooled = watch_is_pooler(watch, seen->port),
		.opened_at = seen->first_seen,
		.closed_at = INSTANT_UNKNOWN,
	};
	/* the server can tell whose session it is: ask soon */
	watch->pause = 0;
	watch->ask_at = 0;
	return socket;
}

/* An inherited socket has several owners: the known owner is kept as long as it holds the socket.
 */
static void read_socket(
	struct watch *watch, const struct follow_socket *seen, const struct follow_sample *sample)
{
	struct watch_socket *socket = watch_find_socket(watch, seen->inode);
	if (!socket)
		socket = add_socket(watch, seen);
	if (!socket->open)
		socket->owner = seen->pid;
	socket->open = true;
	/* a process that inherited the socket was not known yet when the other owner closed it */
	socket->closed_at = INSTANT_UNKNOWN;
	socket->established |= seen->established;
	socket->seen_at = sample->taken_at;
}

static void hand_over(struct watch *watch, const struct follow_sample *sample)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		watch->sockets[i].open = false;
	/* first the sockets whose known owner still has them */
	for (size_t i = 0; i < sample->n_sockets; i++) {
		const struct watch_socket *socket =
			watch_find_socket(watch, sample->sockets[i].inode);
		if (socket && socket->owner == sample->sockets[i].pid)
			read_socket(watch, &sample->sockets[i], sample);
	}
	/* then those that another process inherited */
	for (size_t i = 0; i < sample->n_sockets; i++)
		read_socket(watch, &sample->sockets[i], sample);
}

/* The time at which a socket that the sample lacks was closed; INSTANT_UNKNOWN while that is not
 * known yet. A process that the kernel is ending, or has ended, did not close its sockets itself:
 * they close at its end. That end may already have been reported, or will be soon. */
static int64_t closed_at(const struct watch *watch, const struct watch_socket *socket,
	const struct follow_sample *sample, const struct map *by_pid)
{
	uint32_t owner = map_get(by_pid, (uint64_t)socket->owner);
	if (owner != MAP_NONE)
		return sample->processes[owner].exiting ? INSTANT_UNKNOWN : sample->taken_at;
	const struct shutdown_process *process = watch_find_pid(watch, socket->owner);
	return process ? process->ended_at : sample->taken_at;
}

static void close_sockets(struct watch *watch, const struct follow_sample *sample)
{
	struct arena *arena = arena_new();
	struct map *by_pid = map_new(arena, sample->n_processes);
	for (size_t i = 0; i < sample->n_processes; i++)
		map_set(by_pid, (uint64_t)sample->processes[i].pid, (uint32_t)i);
	for (size_t i = 0; i < watch->n_sockets; i++) {
		struct watch_socket *socket = &watch->sockets[i];
		if (socket->open || socket->closed_at != INSTANT_UNKNOWN)
			continue;
		socket->closed_at = closed_at(watch, socket, sample, by_pid);
		if (socket->closed_at == INSTANT_UNKNOWN)
			continue;
		watch->pause = 0;
		watch->ask_at = 0;
	}
	arena_free(arena);
}

void watch_read_sockets(struct watch *watch, const struct follow_sample *sample)
{
	hand_over(watch, sample);
	close_sockets(watch, sample);
}

/* A link to PgBouncer is a connection by itself. */
static void take_pooled(struct watch *watch, struct watch_socket *socket)
{
	bool after = watch_has_begun(watch) && socket->opened_at > watch->record.signalled_at;
	if (socket->taken || !socket->pooled || !socket->established ||
		(after && socket->seen_at - socket->opened_at < CANCEL_LASTS))
		return;
	struct shutdown_connection *connection = shutdown_add_connection(&watch->record);
	connection->link = LINK_POOLED;
	connection->inode = socket->inode;
	connection->opened_at = socket->opened_at;
	connection->after_signal = after;
	socket->taken = true;
}

void watch_tell_record(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		take_pooled(watch, &watch->sockets[i]);
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		struct shutdown_connection *connection = &watch->record.connections[i];
		const struct watch_socket *socket =
			connection->inode ? watch_find_socket(watch, connection->inode) : NULL;
		if (!socket)
			continue;
		connection->owner = socket->owner;
		connection->closed_at = socket->closed_at;
	}
}

void watch_forget_sockets(struct watch *watch)
{
	size_t kept = 0;
	for (size_t i = 0; i < watch->n_sockets; i++) {
		const struct watch_socket *socket = &watch->sockets[i];
		bool unknown = socket->closed_at != INSTANT_UNKNOWN && !socket->taken;
		if (!unknown && !socket->past)
			watch->sockets[kept++] = *socket;
	}
	if (kept < watch->n_sockets)
		watch_indexes_drop(watch->indexes);
	watch->n_sockets = kept;
}
