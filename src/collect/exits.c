/* After each scan, starts to watch new client processes and stops watching the others. */
#include "collect/exits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/pidfd_watch.h"
#include "model/peers.h"
#include "proc/process.h"

struct exits {
	struct pidfd_watch *watch;
	struct exits_callbacks callbacks;
};

static void on_ended(void *data, uint64_t key, int64_t at)
{
	(void)key;
	(void)at;
	const struct exits *exits = data;
	exits->callbacks.ended(exits->callbacks.data);
}

struct exits *exits_new(uv_loop_t *loop, const struct exits_callbacks *callbacks)
{
	struct exits *exits = mem_alloc(sizeof(*exits));
	exits->callbacks = *callbacks;
	exits->watch = pidfd_watch_new(
		loop, &(struct pidfd_watch_callbacks){ .data = exits, .ended = on_ended });
	return exits;
}

/* A process by its pid and start. */
static uint64_t key_of(const struct process *process)
{
	return map_mix(map_mix(0, (uint64_t)process->pid), process->start_ticks);
}

/* If the pid belongs to another process by now, that process's end only causes one unneeded scan.
 */
static void add(struct exits *exits, const struct process *process, uint64_t key)
{
	int fd = process_open(process->pid);
	/* if this fails, the next regular scan notices the end */
	if (fd >= 0)
		(void)!pidfd_watch_add(exits->watch, fd, key);
}

static void mark_owners(const struct peers *peers, uint32_t inode, bool *clients)
{
	size_t count;
	const struct socket_owner *owners = inode ? peers_owners(peers, inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		clients[owners[i].process] = true;
}

/* Marks the processes that hold a client's end. */
static void mark_clients(const struct peers *peers, bool *clients)
{
	for (size_t i = 0; i < peers->n_tcp; i++)
		if (peers->tcp[i].remote.port == peers->target.port)
			mark_owners(peers, peers->tcp[i].inode, clients);
	for (size_t i = 0; i < peers->n_unix; i++)
		mark_owners(peers, peers->unix_sockets[i].peer, clients);
}

static bool is_wanted(const void *data, uint64_t key)
{
	return map_get(data, key) != MAP_NONE;
}

void exits_follow(struct exits *exits, const struct peers *peers)
{
	struct arena *arena = arena_new();
	struct map *wanted = map_new(arena, peers->n_processes);
	bool *clients = arena_array(arena, peers->n_processes, sizeof(*clients));
	mark_clients(peers, clients);
	for (size_t i = 0; i < peers->n_processes; i++)
		if (clients[i] && peers->processes[i].pid != getpid())
			map_set(wanted, key_of(&peers->processes[i]), (uint32_t)i);
	pidfd_watch_retain(exits->watch, is_wanted, wanted);
	for (size_t i = 0; i < peers->n_processes; i++) {
		uint64_t key = key_of(&peers->processes[i]);
		if (is_wanted(wanted, key) && pidfd_watch_count(exits->watch) < EXITS_MOST &&
			pidfd_watch_fd(exits->watch, key) < 0)
			add(exits, &peers->processes[i], key);
	}
	arena_free(arena);
}

void exits_free(struct exits *exits)
{
	if (!exits)
		return;
	pidfd_watch_free(exits->watch);
	free(exits);
}
