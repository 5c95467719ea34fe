/* Indexes of the watch's lists. An index is built at the first look-up, and dropped when the order
 * of its list changes. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "watch/watch_parts.h"

struct index {
	struct arena *arena; /* NULL: has to be built */
	struct map *map;
	size_t indexed; /* the number of indexed rows; rows added later are not indexed yet */
};

struct watch_indexes {
	struct index sockets, sessions, processes, pids, foreign;
};

/* Returns the key of row i; 0: the row has no key. */
typedef uint64_t key_fn(const struct watch *watch, size_t i);

static uint64_t socket_key(const struct watch *watch, size_t i)
{
	return watch->sockets[i].inode;
}

static uint64_t identity_key(int32_t pid, uint64_t start)
{
	return map_mix((uint64_t)pid, start);
}

static uint64_t session_key(const struct watch *watch, size_t i)
{
	const struct shutdown_connection *connection = &watch->record.connections[i];
	return connection->backend
		? identity_key(connection->backend, (uint64_t)connection->backend_start)
		: 0;
}

static uint64_t process_key(const struct watch *watch, size_t i)
{
	const struct shutdown_process *process = &watch->record.processes[i];
	return identity_key(process->pid, process->start_ticks);
}

static uint64_t pid_key(const struct watch *watch, size_t i)
{
	return (uint64_t)watch->record.processes[i].pid;
}

static uint64_t foreign_key(const struct watch *watch, size_t i)
{
	return identity_key(watch->foreign[i].pid, (uint64_t)watch->foreign[i].start);
}

/* Indexes the rows that were added. Of several rows with the same key, the first is used. */
static void catch_up(const struct watch *watch, struct index *index, size_t count, key_fn *key)
{
	if (!index->arena) {
		index->arena = arena_new();
		index->map = map_new(index->arena, count);
		index->indexed = 0;
	}
	for (; index->indexed < count; index->indexed++) {
		uint64_t k = key(watch, index->indexed);
		if (k && map_get(index->map, k) == MAP_NONE)
			map_set(index->map, k, (uint32_t)index->indexed);
	}
}

static uint32_t look_up(
	const struct watch *watch, struct index *index, size_t count, key_fn *key, uint64_t wanted)
{
	catch_up(watch, index, count, key);
	return wanted ? map_get(index->map, wanted) : MAP_NONE;
}

static void drop(struct index *index)
{
	arena_free(index->arena);
	*index = (struct index){ .arena = NULL };
}

struct watch_indexes *watch_indexes_new(void)
{
	return mem_alloc(sizeof(struct watch_indexes));
}

void watch_indexes_free(struct watch_indexes *indexes)
{
	if (!indexes)
		return;
	watch_indexes_drop(indexes);
	free(indexes);
}

void watch_indexes_drop(struct watch_indexes *indexes)
{
	drop(&indexes->sockets);
	drop(&indexes->sessions);
	drop(&indexes->processes);
	drop(&indexes->pids);
	drop(&indexes->foreign);
}

struct watch_socket *watch_find_socket(const struct watch *watch, uint32_t inode)
{
	uint32_t i = look_up(watch, &watch->indexes->sockets, watch->n_sockets, socket_key, inode);
	return i == MAP_NONE ? NULL : &watch->sockets[i];
}

struct shutdown_connection *watch_find_session(
	const struct watch *watch, int32_t pid, int64_t start)
{
	uint32_t i = look_up(watch, &watch->indexes->sessions, watch->record.n_connections,
		session_key, identity_key(pid, (uint64_t)start));
	return i == MAP_NONE ? NULL : &watch->record.connections[i];
}

struct shutdown_process *watch_find_process(
	const struct watch *watch, int32_t pid, uint64_t start_ticks)
{
	uint32_t i = look_up(watch, &watch->indexes->processes, watch->record.n_processes,
		process_key, identity_key(pid, start_ticks));
	return i == MAP_NONE ? NULL : &watch->record.processes[i];
}

struct shutdown_process *watch_find_pid(const struct watch *watch, int32_t pid)
{
	uint32_t i = look_up(
		watch, &watch->indexes->pids, watch->record.n_processes, pid_key, (uint64_t)pid);
	return i == MAP_NONE ? NULL : &watch->record.processes[i];
}

struct watch_foreign_session *watch_find_foreign(
	const struct watch *watch, int32_t pid, int64_t start)
{
	uint32_t i = look_up(watch, &watch->indexes->foreign, watch->n_foreign, foreign_key,
		identity_key(pid, (uint64_t)start));
	return i == MAP_NONE ? NULL : &watch->foreign[i];
}
