#include "collect/private_pages.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/page_contents.h"
#include "loop/worker.h"
#include "model/peers.h"
#include "model/pool.h"
#include "page/reader.h"
#include "proc/procfs.h"

/* Of all places together. Each gets the same share. */
#define MOST_PAGES 1000

/* The pages of one user in one mount namespace, and a process that leads there. */
struct place {
	uint64_t mount_namespace;
	uint32_t uid;
	int32_t pid;
	uint64_t start_ticks;
	bool is_known; /* inner_uid is set */
	uint32_t inner_uid;
	bool has_pages; /* at the last scan */
};

struct private_pages {
	struct private_pages_callbacks callbacks;
	struct worker *worker;
	const struct pool_pages *latest;
	bool left_out;
	atomic_int reading; /* the pid of the place that is read */

	/* the worker's while a scan runs */
	const struct peers *peers;
	struct procfs *procfs;
	struct page_host host;
	uint64_t own_mount;
	struct page_copy *buffer;
	struct place *places;
	size_t n_places, room;
	bool is_new; /* every place is looked at */
	struct pool_pages *block;
	size_t block_room;
	bool scan_left_out;
};

static void destroy(void *data)
{
	struct private_pages *pages = data;
	pool_pages_unref(pages->latest);
	pool_pages_unref(pages->block);
	peers_unref(pages->peers);
	procfs_free(pages->procfs);
	free(pages->buffer);
	free(pages->places);
	free(pages);
}

static bool has_place(const struct private_pages *pages, const struct process *process)
{
	for (size_t i = 0; i < pages->n_places; i++)
		if (pages->places[i].mount_namespace == process->mount_namespace &&
			pages->places[i].uid == process->uid)
			return true;
	return false;
}

/* The server's own processes have no pools. */
static void list_places(struct private_pages *pages)
{
	const struct peers *peers = pages->peers;
	pages->n_places = 0;
	for (size_t i = 0; peers && pages->own_mount && i < peers->n_processes; i++) {
		const struct process *process = &peers->processes[i];
		if (!process->mount_namespace || process->mount_namespace == pages->own_mount ||
			process->ended_at != INSTANT_UNKNOWN ||
			process->program == PROGRAM_POSTGRESQL || has_place(pages, process) ||
			pages->n_places == MOST_PAGES)
			continue;
		pages->places = mem_grow(
			pages->places, pages->n_places, &pages->room, sizeof(*pages->places));
		pages->places[pages->n_places++] = (struct place){
			.mount_namespace = process->mount_namespace,
			.uid = process->uid,
			.pid = process->pid,
			.start_ticks = process->start_ticks,
		};
	}
}

/* Finds the user in the process's own user namespace. Each line of uid_map says which users there
 * are which ones here. */
static bool find_inner_uid(const struct private_pages *pages, int process, struct place *place)
{
	uint32_t inner, outer, count;
	place->inner_uid = place->uid;
	if (procfs_namespace(process, "ns/user") ==
		procfs_namespace(procfs_root(pages->procfs), "self/ns/user"))
		return true;
	int fd = openat(process, "uid_map", O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_file) FILE *map = fd < 0 ? NULL : fdopen(fd, "r");
	while (map && fscanf(map, "%" SCNu32 "%" SCNu32 "%" SCNu32, &inner, &outer, &count) == 3)
		if (place->uid >= outer && place->uid - outer < count) {
			place->inner_uid = inner + (place->uid - outer);
			return true;
		}
	return false;
}

struct reading {
	struct private_pages *pages;
	struct place *place;
	const char *folder; /* below the root */
};

static bool is_alive(const struct private_pages *pages, const struct process *process)
{
	struct procfs_stat stat;
	return procfs_stat(pages->procfs, process->pid, &stat) == 0 &&
		stat.start_ticks == process->start_ticks && !procfs_has_ended(&stat);
}

static void on_found(void *data, const char *path, int status, const struct page_copy *copy)
{
	const struct reading *reading = data;
	struct private_pages *pages = reading->pages;
	struct pool_pages *block = pages->block;
	struct arena *arena = block->arena;
	const struct place *place = reading->place;
	const struct process *writer = copy && status == PAGE_OK
		? page_contents_writer(pages->peers, copy, place->mount_namespace)
		: NULL;
	reading->place->has_pages = true;
	/* nothing proves whose page it is */
	if (copy && (!writer || !is_alive(pages, writer)))
		return;
	/* the path stays the same as long as the pool lives */
	if (writer)
		path = arena_printf(arena, "/proc/%" PRId32 "/root/%s/%s", writer->pid,
			reading->folder, strrchr(path, '/') + 1);
	block->items = arena_grow(
		arena, block->items, block->count, &pages->block_room, sizeof(*block->items));
	struct pool_page *page = &block->items[block->count++];
	*page = page_contents_read(arena, path, status, block->read_at, copy);
	if (writer)
		page_contents_set_writer(arena, page, writer);
}

/* Whether the folder is also one of our own mount namespace: its pages are read there. */
static bool is_shared(int fd, const char *folder)
{
	char path[64];
	struct stat own, st;
	snprintf(path, sizeof(path), "/%s", folder);
	return fstat(fd, &st) == 0 && lstat(path, &own) == 0 && st.st_dev == own.st_dev &&
		st.st_ino == own.st_ino;
}

static void read_folder(struct reading *reading, int root)
{
	struct private_pages *pages = reading->pages;
	char path[96];
	bool more = false;
	int fd = page_open_folder_in(root, reading->folder);
	if (fd < 0)
		return;
	if (is_shared(fd, reading->folder)) {
		close(fd);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%" PRId32 "/root/%s", reading->place->pid,
		reading->folder);
	(void)page_scan_open(fd, reading->place->uid, path, MOST_PAGES / pages->n_places,
		&pages->host, pages->buffer, on_found, reading, &more);
	pages->scan_left_out |= more;
}

/* A descriptor of the process's folder stays that process's. */
static void read_place(struct private_pages *pages, struct place *place)
{
	char path[16], run[32], tmp[32];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "%" PRId32, place->pid);
	CLEANUP(cleanup_fd)
	int process = openat(procfs_root(pages->procfs), path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process < 0 || procfs_stat_at(process, "stat", &stat) < 0 ||
		stat.start_ticks != place->start_ticks ||
		procfs_namespace(process, "ns/mnt") != place->mount_namespace)
		return;
	CLEANUP(cleanup_fd)
	int root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	place->is_known = place->is_known || find_inner_uid(pages, process, place);
	if (root < 0 || !place->is_known)
		return;
	snprintf(run, sizeof(run), "run/user/%" PRIu32 "/dbpool", place->inner_uid);
	snprintf(tmp, sizeof(tmp), "tmp/dbpool-%" PRIu32, place->inner_uid);
	place->has_pages = false;
	read_folder(&(struct reading){ pages, place, run }, root);
	read_folder(&(struct reading){ pages, place, tmp }, root);
}

static void scan_on_worker(void *data)
{
	struct private_pages *pages = data;
	pages->block_room = 0;
	pages->scan_left_out = false;
	pages->block->read_at = instant_now();
	for (size_t i = 0; i < pages->n_places; i++) {
		struct place *place = &pages->places[i];
		if (!pages->is_new && !place->has_pages)
			continue;
		atomic_store(&pages->reading, place->pid);
		read_place(pages, place);
	}
	atomic_store(&pages->reading, 0);
	pages->is_new = false;
}

static void after_scan(void *data)
{
	struct private_pages *pages = data;
	pool_pages_unref(pages->latest);
	pages->latest = pages->block;
	pages->block = NULL;
	pages->left_out = pages->scan_left_out;
	pages->callbacks.done(pages->callbacks.data);
}

struct private_pages *private_pages_new(
	uv_loop_t *loop, const char *proc_root, const struct private_pages_callbacks *callbacks)
{
	struct private_pages *pages = mem_alloc(sizeof(*pages));
	pages->worker = worker_new(
		loop, &(struct worker_callbacks){ pages, scan_on_worker, after_scan, destroy });
	pages->callbacks = *callbacks;
	pages->procfs = procfs_new(proc_root);
	pages->buffer = mem_alloc(sizeof(*pages->buffer));
	page_host_read(proc_root, &pages->host);
	/* without our own /proc, files cannot be opened safely */
	if (pages->host.own_proc)
		pages->own_mount = procfs_namespace(procfs_root(pages->procfs), "self/ns/mnt");
	return pages;
}

void private_pages_free(struct private_pages *pages)
{
	if (pages)
		worker_free(pages->worker);
}

static bool has_work(const struct private_pages *pages)
{
	bool has_pages = false;
	for (size_t i = 0; i < pages->n_places; i++)
		has_pages |= pages->places[i].has_pages;
	return pages->n_places && (pages->is_new || has_pages);
}

bool private_pages_refresh(struct private_pages *pages, const struct peers *peers, bool *ret_busy)
{
	*ret_busy = worker_is_busy(pages->worker);
	if (*ret_busy)
		return false;
	if (peers != pages->peers) {
		peers_unref(pages->peers);
		pages->peers = peers ? peers_ref(peers) : NULL;
		pages->is_new = true;
		list_places(pages);
	}
	if (!has_work(pages)) {
		pool_pages_unref(pages->latest);
		pages->latest = NULL;
		return false;
	}
	pool_pages_unref(pages->block);
	pages->block = pool_pages_new();
	worker_start(pages->worker);
	return true;
}

const struct pool_pages *private_pages_latest(const struct private_pages *pages)
{
	return pages->latest;
}

int32_t private_pages_reads(const struct private_pages *pages)
{
	return atomic_load(&pages->reading);
}

bool private_pages_left_out(const struct private_pages *pages)
{
	return pages->left_out;
}
