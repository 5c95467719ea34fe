/* Reads the links /proc/PID/ns/net. */
#include "proc/namespaces.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "proc/procfs.h"

static int by_id(const void *a, const void *b)
{
	const struct namespaces_network *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Most processes are in the namespace of the one before them. */
static void add(
	struct arena *arena, struct namespaces *list, size_t *room, uint64_t id, int32_t pid)
{
	if (id && list->count && list->networks[list->count - 1].id == id)
		return;
	list->networks =
		arena_grow(arena, list->networks, list->count, room, sizeof(*list->networks));
	list->networks[list->count++] = (struct namespaces_network){ .id = id, .pid = pid };
}

static void remove_repeated(struct namespaces *list)
{
	size_t kept = 0;
	if (list->count)
		qsort(list->networks, list->count, sizeof(*list->networks), by_id);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || !list->networks[i].id ||
			list->networks[kept - 1].id != list->networks[i].id)
			list->networks[kept++] = list->networks[i];
	list->count = kept;
}

/* A zombie has left its namespaces already, and a kernel thread has no sockets of users. */
static bool is_hidden(int root, int32_t pid, int error)
{
	char path[32];
	struct procfs_stat stat;
	if (error != EACCES && error != EPERM)
		return false;
	snprintf(path, sizeof(path), "%" PRId32 "/stat", pid);
	return procfs_stat_at(root, path, &stat) == 0 && !stat.kernel_thread &&
		!procfs_has_ended(&stat);
}

static uint64_t read_files(int root, int32_t pid)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof(path), "%" PRId32 "/net/tcp", pid);
	return fstatat(root, path, &st, 0) == 0 ? st.st_ino : 0;
}

int namespaces_list(const struct procfs *procfs, struct arena *arena, struct namespaces *ret)
{
	int root = procfs_root(procfs);
	CLEANUP(cleanup_dir) DIR *processes = procfs_open_folder(root, ".");
	size_t room = 0;
	if (!processes)
		return -errno;
	*ret = (struct namespaces){ 0 };
	for (int32_t pid; (pid = procfs_next_pid(processes));) {
		char path[32];
		snprintf(path, sizeof(path), "%" PRId32 "/ns/net", pid);
		uint64_t id = procfs_namespace(root, path);
		if (id || is_hidden(root, pid, errno))
			add(arena, ret, &room, id, pid);
	}
	remove_repeated(ret);
	for (size_t i = 0; i < ret->count; i++)
		ret->networks[i].files = read_files(root, ret->networks[i].pid);
	return 0;
}
