#include "watch/record_sockets.h"

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "collect/follow.h"
#include "model/assessment.h"
#include "model/shutdown.h"

/* After the signal, a link to PgBouncer that lasts less than this is a cancel request. */
#define CANCEL_LASTS (50 * USEC_PER_MSEC)

static bool is_pooler(const struct assessment *assessment, uint16_t port)
{
	for (size_t i = 0; i < assessment->n_bouncers; i++)
		if (assessment->bouncers[i]->port == port)
			return true;
	return false;
}

/* An inherited socket has several owners: the known owner is kept as long as it holds the socket.
 */
static void read_socket(struct shutdown_socket *socket, const struct follow_socket *seen,
	const struct follow_sample *sample)
{
	if (!socket->open)
		socket->owner = seen->pid;
	socket->open = true;
	/* a process that inherited the socket was not known yet when the other owner closed it */
	socket->closed_at = INSTANT_UNKNOWN;
	socket->established |= seen->established;
	socket->seen_at = sample->taken_at;
}

static bool open_sockets(struct shutdown_record *record, const struct assessment *assessment,
	const struct follow_sample *sample, struct map *by_inode)
{
	size_t before = record->n_sockets;
	for (size_t i = 0; i < before; i++)
		record->sockets[i].open = false;
	/* first the sockets whose known owner still has them */
	for (size_t i = 0; i < sample->n_sockets; i++) {
		const struct follow_socket *seen = &sample->sockets[i];
		uint32_t at = map_get(by_inode, seen->inode);
		if (at != MAP_NONE && record->sockets[at].owner == seen->pid)
			read_socket(&record->sockets[at], seen, sample);
	}
	/* then those that are new, or that another process inherited */
	for (size_t i = 0; i < sample->n_sockets; i++) {
		const struct follow_socket *seen = &sample->sockets[i];
		uint32_t at = map_get(by_inode, seen->inode);
		if (at == MAP_NONE) {
			at = (uint32_t)record->n_sockets;
			map_set(by_inode, seen->inode, at);
			struct shutdown_socket *socket = shutdown_add_socket(record);
			socket->inode = seen->inode;
			socket->local = seen->local;
			socket->server_inode = seen->server_inode;
			socket->pooled = is_pooler(assessment, seen->port);
			socket->opened_at = seen->first_seen;
			/* its session has ended: there is none to be found */
			socket->taken = seen->ended && !socket->pooled;
		}
		read_socket(&record->sockets[at], seen, sample);
	}
	return record->n_sockets > before;
}

/* The time at which a socket that the sample lacks was closed; INSTANT_UNKNOWN while that is not
 * known yet. A process that the kernel is ending, or has ended, did not close its sockets itself:
 * they close at its end. That end may already have been reported, or will be soon. */
static int64_t closed_at(const struct shutdown_record *record, const struct map *record_pids,
	const struct shutdown_socket *socket, const struct follow_sample *sample,
	const struct map *sample_pids)
{
	uint32_t i = map_get(sample_pids, (uint64_t)socket->owner);
	if (i != MAP_NONE)
		return sample->processes[i].exiting ? INSTANT_UNKNOWN : sample->taken_at;
	i = map_get(record_pids, (uint64_t)socket->owner);
	return i != MAP_NONE ? record->processes[i].ended_at : sample->taken_at;
}

static bool close_sockets(
	struct shutdown_record *record, const struct follow_sample *sample, struct arena *arena)
{
	bool closed = false;
	const struct map *record_pids = shutdown_index_pids(record, arena);
	struct map *sample_pids = map_new(arena, sample->n_processes);
	for (size_t i = 0; i < sample->n_processes; i++)
		map_set(sample_pids, (uint64_t)sample->processes[i].pid, (uint32_t)i);
	for (size_t i = 0; i < record->n_sockets; i++) {
		struct shutdown_socket *socket = &record->sockets[i];
		if (socket->open || socket->closed_at != INSTANT_UNKNOWN)
			continue;
		socket->closed_at = closed_at(record, record_pids, socket, sample, sample_pids);
		closed |= socket->closed_at != INSTANT_UNKNOWN;
	}
	return closed;
}

bool record_sockets(struct shutdown_record *record, const struct assessment *assessment,
	const struct follow_sample *sample)
{
	struct arena *arena = arena_new();
	bool opened =
		open_sockets(record, assessment, sample, shutdown_index_sockets(record, arena));
	bool closed = close_sockets(record, sample, arena);
	arena_free(arena);
	return opened || closed;
}

/* A link to PgBouncer is a connection by itself. */
static void take_pooled(struct shutdown_record *record, struct shutdown_socket *socket)
{
	bool after = shutdown_has_begun(record) && socket->opened_at > record->signalled_at;
	if (socket->taken || !socket->pooled || !socket->established ||
		(after && socket->seen_at - socket->opened_at < CANCEL_LASTS))
		return;
	struct shutdown_connection *connection = shutdown_add_connection(record);
	connection->link = LINK_POOLED;
	connection->inode = socket->inode;
	connection->opened_at = socket->opened_at;
	connection->after_signal = after;
	socket->taken = true;
}

void record_links(struct shutdown_record *record)
{
	struct arena *arena = arena_new();
	const struct map *by_inode = shutdown_index_sockets(record, arena);
	for (size_t i = 0; i < record->n_sockets; i++)
		take_pooled(record, &record->sockets[i]);
	for (size_t i = 0; i < record->n_connections; i++) {
		struct shutdown_connection *connection = &record->connections[i];
		uint32_t at = connection->inode ? map_get(by_inode, connection->inode) : MAP_NONE;
		if (at == MAP_NONE)
			continue;
		connection->owner = record->sockets[at].owner;
		connection->closed_at = record->sockets[at].closed_at;
	}
	arena_free(arena);
}

static void forget_sockets(struct shutdown_record *record)
{
	size_t kept = 0;
	for (size_t i = 0; i < record->n_sockets; i++) {
		const struct shutdown_socket *socket = &record->sockets[i];
		/* the server may have ended a session whose socket the application still holds */
		bool is_over = socket->past || !socket->taken;
		if (socket->closed_at == INSTANT_UNKNOWN || !is_over)
			record->sockets[kept++] = *socket;
	}
	record->n_sockets = kept;
}

void record_forget_connections(struct shutdown_record *record, int64_t since)
{
	size_t kept = 0;
	struct arena *arena = arena_new();
	const struct map *by_inode = shutdown_index_sockets(record, arena);
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		int64_t end = shutdown_connection_end(connection);
		if (end == INSTANT_UNKNOWN || end > since) {
			record->connections[kept++] = *connection;
			continue;
		}
		uint32_t at = connection->inode ? map_get(by_inode, connection->inode) : MAP_NONE;
		if (at != MAP_NONE)
			record->sockets[at].past = true;
	}
	arena_free(arena);
	record->n_connections = kept;
	forget_sockets(record);
}
