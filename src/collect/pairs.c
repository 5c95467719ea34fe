#include "collect/pairs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/relays.h"
#include "model/peers.h"
#include "proc/owners.h"
#include "proc/procfs.h"

/* The most far ends that are listed of one forwarder. */
#define MOST_FAR_ENDS 64

/* A pair that was proven by its bytes. It stays one as long as the process has both. */
struct known_pair {
	int32_t pid;
	uint64_t start_ticks;
	uint32_t opened, accepted; /* inodes */
	bool is_seen;
};

struct pairs {
	struct procfs *procfs;
	char *proc_root;
	struct known_pair *known;
	size_t n_known, room;
	struct arena *arena; /* of the dump */
	struct relays *relays;
};

/* A forwarder while it is read. */
struct forwarder {
	const struct process *process;
	const struct relay_end **opened, **others; /* to the server, or to a known far end; the
						       rest */
	size_t n_opened, n_others;
	bool listens;
};

struct pairs *pairs_new(const char *proc_root)
{
	struct pairs *pairs = mem_alloc(sizeof(*pairs));
	pairs->procfs = procfs_new(proc_root);
	pairs->proc_root = mem_strdup(proc_root);
	return pairs;
}

void pairs_free(struct pairs *pairs)
{
	if (!pairs)
		return;
	pairs_drop(pairs);
	procfs_free(pairs->procfs);
	free(pairs->proc_root);
	free(pairs->known);
	free(pairs);
}

static bool is_forwarder(const struct process *process)
{
	return process->ended_at == INSTANT_UNKNOWN &&
		(process->program == PROGRAM_FORWARDER || process->program == PROGRAM_SSHD);
}

bool pairs_has_forwarder(const struct peers *peers)
{
	for (size_t i = 0; i < peers->n_processes; i++)
		if (is_forwarder(&peers->processes[i]))
			return true;
	return false;
}

void pairs_dump(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n_known; i++)
		pairs->known[i].is_seen = false;
	pairs->arena = arena_new();
	pairs->relays = relays_new(pairs->arena, pairs->proc_root);
}

/* A pair that no call of pairs_find() has seen has ended, or its forwarder has. */
static void forget(struct pairs *pairs)
{
	size_t kept = 0;
	for (size_t i = 0; i < pairs->n_known; i++)
		if (pairs->known[i].is_seen)
			pairs->known[kept++] = pairs->known[i];
	pairs->n_known = kept;
}

void pairs_drop(struct pairs *pairs)
{
	if (pairs->arena)
		forget(pairs);
	arena_free(pairs->arena);
	pairs->arena = NULL;
	pairs->relays = NULL;
}

/* Reads the process's sockets; false if it is another process by now, or may not be read. */
static bool read_forwarder(
	const struct pairs *pairs, const struct map *ends, struct forwarder *forwarder)
{
	char path[16];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "%" PRId32, forwarder->process->pid);
	CLEANUP(cleanup_fd)
	int folder = openat(procfs_root(pairs->procfs), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || procfs_stat_at(folder, "stat", &stat) < 0 ||
		stat.start_ticks != forwarder->process->start_ticks)
		return false;
	CLEANUP(cleanup_dir) DIR *descriptors = procfs_open_folder(folder, "fd");
	size_t opened_room = 0, others_room = 0;
	for (uint32_t inode; descriptors && (inode = procfs_next_socket(descriptors));) {
		const struct relay_end *end = relays_find(pairs->relays, inode);
		if (!end)
			continue;
		if (end->listens) {
			forwarder->listens = true;
		} else if (map_get(ends, inode) != MAP_NONE) {
			forwarder->opened = arena_grow(pairs->arena, forwarder->opened,
				forwarder->n_opened, &opened_room, sizeof(struct relay_end *));
			forwarder->opened[forwarder->n_opened++] = end;
		} else {
			forwarder->others = arena_grow(pairs->arena, forwarder->others,
				forwarder->n_others, &others_room, sizeof(struct relay_end *));
			forwarder->others[forwarder->n_others++] = end;
		}
	}
	return descriptors && forwarder->n_opened > 0;
}

/* The only one of its other connections that was accepted; of those of sshd, which opens many for
 * one. NULL: none, or several. */
static const struct relay_end *only_accepted(
	const struct pairs *pairs, const struct forwarder *forwarder)
{
	const struct relay_end *found = NULL;
	if (forwarder->n_others == 1)
		return forwarder->others[0];
	for (size_t i = 0; i < forwarder->n_others; i++) {
		if (!relays_is_accepted(pairs->relays, forwarder->others[i]))
			continue;
		if (found)
			return NULL;
		found = forwarder->others[i];
	}
	return found;
}

static void learn_pair(struct pairs *pairs, const struct forwarder *forwarder)
{
	if (forwarder->n_opened != 1 || forwarder->n_others != 1 ||
		!relays_carry_the_same(forwarder->opened[0], forwarder->others[0]))
		return;
	for (size_t i = 0; i < pairs->n_known; i++)
		if (pairs->known[i].opened == forwarder->opened[0]->inode &&
			pairs->known[i].accepted == forwarder->others[0]->inode)
			return;
	pairs->known = mem_grow(pairs->known, pairs->n_known, &pairs->room, sizeof(*pairs->known));
	pairs->known[pairs->n_known++] = (struct known_pair){
		.pid = forwarder->process->pid,
		.start_ticks = forwarder->process->start_ticks,
		.opened = forwarder->opened[0]->inode,
		.accepted = forwarder->others[0]->inode,
	};
}

static const struct relay_end *find_other(const struct forwarder *forwarder, uint32_t inode)
{
	for (size_t i = 0; i < forwarder->n_others; i++)
		if (forwarder->others[i]->inode == inode)
			return forwarder->others[i];
	return NULL;
}

static const struct relay_end *recall_pair(
	struct pairs *pairs, const struct forwarder *forwarder, const struct relay_end *opened)
{
	for (size_t i = 0; i < pairs->n_known; i++) {
		struct known_pair *known = &pairs->known[i];
		const struct relay_end *other = known->opened == opened->inode &&
				known->pid == forwarder->process->pid &&
				known->start_ticks == forwarder->process->start_ticks
			? find_other(forwarder, known->accepted)
			: NULL;
		known->is_seen |= other != NULL;
		if (other)
			return other;
	}
	return NULL;
}

/* The connection for which the forwarder has opened this one, if it is proven. */
static const struct relay_end *find_twin(
	struct pairs *pairs, const struct forwarder *forwarder, const struct relay_end *opened)
{
	if (forwarder->listens)
		return recall_pair(pairs, forwarder, opened);
	bool is_for_one = forwarder->process->program == PROGRAM_SSHD ||
		(forwarder->n_opened == 1 && forwarder->n_others == 1);
	return is_for_one ? only_accepted(pairs, forwarder) : NULL;
}

static void add_pair(struct peers *peers, uint32_t inode, uint32_t far)
{
	for (size_t i = 0; i < peers->n_pairs; i++)
		if (peers->pairs[i].inode == inode)
			return;
	peers->pairs = arena_grow(peers->arena, peers->pairs, peers->n_pairs, &peers->pairs_room,
		sizeof(*peers->pairs));
	peers->pairs[peers->n_pairs++] = (struct peers_pair){ inode, far };
}

/* Lists the far ends of the connections that it has accepted. */
static void list_far_ends(
	const struct pairs *pairs, const struct forwarder *forwarder, struct peers *peers)
{
	struct peers_forwarder row = {
		.pid = forwarder->process->pid,
		.start_ticks = forwarder->process->start_ticks,
		.far = arena_array(peers->arena, MOST_FAR_ENDS, sizeof(*row.far)),
	};
	for (size_t i = 0; i < forwarder->n_others && row.n_far < MOST_FAR_ENDS; i++) {
		const struct relay_end *other = forwarder->others[i];
		const struct relay_end *far = relays_is_accepted(pairs->relays, other)
			? relays_far_end(pairs->relays, other)
			: NULL;
		if (far)
			row.far[row.n_far++] = far->inode;
	}
	peers->forwarders = arena_grow(peers->arena, peers->forwarders, peers->n_forwarders,
		&peers->forwarders_room, sizeof(row));
	peers->forwarders[peers->n_forwarders++] = row;
}

static void pair(struct pairs *pairs, struct forwarder *forwarder, struct peers *peers)
{
	bool all = true;
	learn_pair(pairs, forwarder);
	for (size_t i = 0; i < forwarder->n_opened; i++) {
		const struct relay_end *twin = find_twin(pairs, forwarder, forwarder->opened[i]);
		const struct relay_end *far = twin ? relays_far_end(pairs->relays, twin) : NULL;
		/* it may be connected to itself */
		if (far && !find_other(forwarder, far->inode))
			add_pair(peers, forwarder->opened[i]->inode, far->inode);
		all &= twin != NULL;
	}
	if (!all)
		list_far_ends(pairs, forwarder, peers);
}

void pairs_find(struct pairs *pairs, const struct owners_wanted *wanted, size_t n_wanted,
	struct peers *peers)
{
	struct map *ends = map_new(pairs->arena, n_wanted);
	for (size_t i = 0; i < n_wanted; i++)
		if (wanted[i].client)
			map_set(ends, wanted[i].inode, 1);
	int root = procfs_root(pairs->procfs);
	peers->host_mounts[0] = procfs_namespace(root, "self/ns/mnt");
	peers->host_mounts[1] = procfs_namespace(root, "1/ns/mnt");
	peers->n_pairs = peers->n_forwarders = 0;
	for (size_t i = 0; i < peers->n_processes; i++) {
		struct forwarder forwarder = { .process = &peers->processes[i] };
		if (is_forwarder(forwarder.process) && read_forwarder(pairs, ends, &forwarder))
			pair(pairs, &forwarder, peers);
	}
}
