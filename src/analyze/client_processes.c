/* Finds processes by pid, and by pid and start time. */
#include "analyze/client_processes.h"

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/peers.h"

struct client_processes {
	struct assessment *assessment;
	size_t room;             /* of the assessment's processes */
	struct map *peers;       /* of the peers block: pid and start → index there; made when the
				    first one is looked for */
	struct map *by_pid;      /* of the listed ones among those: pid → index in the list */
	struct map *by_identity; /* of the other listed ones; a pid may be used again, so the start
				    is part of the key */
};

static uint64_t identity(int32_t pid, uint64_t start_ticks)
{
	return map_mix((uint64_t)pid, start_ticks);
}

/* The same pid and start may exist on several machines. */
static uint64_t identity_of(const struct process *process)
{
	uint64_t key = identity(process->pid, process->start_ticks);
	for (const char *c = process->host; c && *c; c++)
		key = map_mix(key, (unsigned char)*c);
	return key;
}

struct client_processes *client_processes_new(
	struct assessment *assessment, const struct assessment *previous)
{
	struct arena *arena = assessment->arena;
	struct client_processes *list = arena_alloc(arena, sizeof(*list));
	list->assessment = assessment;
	list->room = previous ? previous->n_processes : 0;
	list->by_pid = map_new(arena, list->room);
	list->by_identity = map_new(arena, 0);
	assessment->processes = arena_array(arena, list->room, sizeof(*assessment->processes));
	return list;
}

static uint32_t add(struct client_processes *list, const struct client_process *process)
{
	struct assessment *assessment = list->assessment;
	assessment->processes = arena_grow(assessment->arena, assessment->processes,
		assessment->n_processes, &list->room, sizeof(*assessment->processes));
	uint32_t index = (uint32_t)assessment->n_processes++;
	assessment->processes[index] = *process;
	return index;
}

uint32_t client_processes_use(struct client_processes *list, uint32_t peer)
{
	const struct process *process = &list->assessment->peers->processes[peer];
	uint32_t index = map_get(list->by_pid, (uint64_t)process->pid);
	if (index != MAP_NONE)
		return index;
	const struct client_process entry = {
		.process = *process,
		.alive = process->ended_at == INSTANT_UNKNOWN,
	};
	index = add(list, &entry);
	map_set(list->by_pid, (uint64_t)process->pid, index);
	return index;
}

static void index_peers(struct client_processes *list)
{
	const struct peers *peers = list->assessment->peers;
	size_t n = peers ? peers->n_processes : 0;
	list->peers = map_new(list->assessment->arena, n);
	for (size_t i = 0; i < n; i++)
		map_set(list->peers,
			identity(peers->processes[i].pid, peers->processes[i].start_ticks),
			(uint32_t)i);
}

uint32_t client_processes_find(struct client_processes *list, int32_t pid, uint64_t start_ticks)
{
	if (!list->peers)
		index_peers(list);
	uint32_t peer = map_get(list->peers, identity(pid, start_ticks));
	return peer == MAP_NONE ? NO_PROCESS : client_processes_use(list, peer);
}

uint32_t client_processes_recall(struct client_processes *list, const struct client_process *before)
{
	uint32_t found = before->process.host
		? NO_PROCESS
		: client_processes_find(list, before->process.pid, before->process.start_ticks);
	if (found != NO_PROCESS)
		return found;
	/* The process is in no current block, so its strings are copied. */
	struct process process = process_copy(list->assessment->arena, &before->process);
	if (process.host)
		return client_processes_add(list, &process, before->alive);
	if (process.ended_at == INSTANT_UNKNOWN)
		process.ended_at = list->assessment->now;
	return client_processes_add(list, &process, false);
}

uint32_t client_processes_add(
	struct client_processes *list, const struct process *process, bool alive)
{
	uint64_t key = identity_of(process);
	uint32_t index = map_get(list->by_identity, key);
	if (index != MAP_NONE)
		return index;
	const struct client_process entry = { .process = *process, .alive = alive };
	index = add(list, &entry);
	map_set(list->by_identity, key, index);
	return index;
}
