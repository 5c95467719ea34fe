/* Walks over all /proc/PID/fd. Most of the time is spent in readlink(), which is called for each
 * descriptor of the machine. */
#include "proc/descriptors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "proc/procfs.h"

struct descriptor_walk {
	const struct map *wanted;
	struct descriptors_owner *owners;
	size_t n_owners, owners_room;
	struct descriptors_process *processes;
	size_t n_processes, processes_room;
	int n_refused;
};

static void add_owner(struct descriptor_walk *walk, uint32_t inode)
{
	walk->owners =
		mem_grow(walk->owners, walk->n_owners, &walk->owners_room, sizeof(*walk->owners));
	walk->owners[walk->n_owners++] =
		(struct descriptors_owner){ inode, (uint32_t)walk->n_processes };
}

static void add_process(struct descriptor_walk *walk, int32_t pid, const struct procfs_stat *stat)
{
	walk->processes = mem_grow(walk->processes, walk->n_processes, &walk->processes_room,
		sizeof(*walk->processes));
	walk->processes[walk->n_processes++] = (struct descriptors_process){ pid, *stat };
}

/* The process's start time is read through the same open folder as its descriptors: the folder
 * belongs to this process only, even if the pid is used again. If the process exits during the
 * walk, its descriptors are dropped. */
static void walk_descriptors(struct descriptor_walk *walk, int32_t pid, DIR *folder)
{
	size_t first = walk->n_owners;
	for (uint32_t inode; (inode = procfs_next_socket(folder));)
		if (map_get(walk->wanted, inode) != MAP_NONE)
			add_owner(walk, inode);
	struct procfs_stat stat;
	if (walk->n_owners == first)
		return;
	if (procfs_stat_at(dirfd(folder), "../stat", &stat) == 0)
		add_process(walk, pid, &stat);
	else
		walk->n_owners = first;
}

/* Kernel threads also refuse, but they have no descriptors: they are not counted. */
static void note_refusal(struct descriptor_walk *walk, int root, int32_t pid)
{
	char path[32];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "%" PRId32 "/stat", pid);
	if (procfs_stat_at(root, path, &stat) == 0 && !stat.kernel_thread)
		walk->n_refused++;
}

static void walk_process(struct descriptor_walk *walk, int root, int32_t pid)
{
	char path[32];
	snprintf(path, sizeof(path), "%" PRId32 "/fd", pid);
	CLEANUP(cleanup_dir) DIR *folder = procfs_open_folder(root, path);
	if (folder)
		walk_descriptors(walk, pid, folder);
	else if (errno == EACCES || errno == EPERM)
		note_refusal(walk, root, pid);
}

static int compare_owners(const void *a, const void *b, void *processes)
{
	const struct descriptors_owner *x = a, *y = b;
	const struct descriptors_process *p = (struct descriptors_process *)processes + x->process;
	const struct descriptors_process *q = (struct descriptors_process *)processes + y->process;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (p->stat.start_ticks != q->stat.start_ticks)
		return p->stat.start_ticks < q->stat.start_ticks ? -1 : 1;
	return (p->pid > q->pid) - (p->pid < q->pid);
}

/* A process may have several descriptors of one socket. They are sorted, so they are neighbours. */
static size_t remove_repeated(struct descriptors_owner *owners, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		const struct descriptors_owner *last = kept ? &owners[kept - 1] : NULL;
		if (!last || last->inode != owners[i].inode || last->process != owners[i].process)
			owners[kept++] = owners[i];
	}
	return kept;
}

static void hand_over(
	struct descriptor_walk *walk, struct arena *arena, struct descriptors_scan *ret)
{
	*ret = (struct descriptors_scan){
		.owners = arena_array(arena, walk->n_owners, sizeof(*walk->owners)),
		.processes = arena_array(arena, walk->n_processes, sizeof(*walk->processes)),
		.n_processes = walk->n_processes,
		.n_refused = walk->n_refused,
	};
	if (!walk->n_owners)
		return;
	qsort_r(walk->owners, walk->n_owners, sizeof(*walk->owners), compare_owners,
		walk->processes);
	ret->n_owners = remove_repeated(walk->owners, walk->n_owners);
	memcpy(ret->owners, walk->owners, ret->n_owners * sizeof(*ret->owners));
	memcpy(ret->processes, walk->processes, ret->n_processes * sizeof(*ret->processes));
}

int descriptors_scan(
	int root, const struct map *wanted, struct arena *arena, struct descriptors_scan *ret)
{
	struct descriptor_walk walk = { .wanted = wanted };
	CLEANUP(cleanup_dir) DIR *processes = procfs_open_folder(root, ".");
	if (!processes)
		return -errno;
	for (int32_t pid; (pid = procfs_next_pid(processes));)
		walk_process(&walk, root, pid);
	hand_over(&walk, arena, ret);
	free(walk.owners);
	free(walk.processes);
	return 0;
}
