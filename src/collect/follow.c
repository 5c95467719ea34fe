/* Takes samples, one after the other, on worker threads.
 *
 * As in clients.c, the worker owns what a scan uses while the scan runs, and the loop owns it
 * between two scans. The loop stores requests; the next scan takes them over when it begins. */
#include "collect/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "collect/followed_container.h"
#include "collect/links.h"
#include "loop/handle.h"
#include "loop/worker.h"
#include "proc/procfs.h"

/* The least interval between scans for children: such a scan reads the whole table of processes. */
#define CHILDREN_EVERY (50 * USEC_PER_MSEC)

/* The least pause after a scan, as a multiple of the scan's cost. Samples use half of it. */
#define SHARE 10

struct followed {
	int32_t pid;
	uint64_t start_ticks;
	bool contained;
};

struct members {
	struct followed *items;
	size_t count, room;
};

/* A row of the table of all processes. */
struct process_row {
	int32_t pid, parent;
	uint64_t start_ticks;
	bool ended;  /* a zombie: a row that was read before may still name it as parent */
	bool member; /* followed */
};

struct table {
	struct arena *arena;
	struct process_row *entries;
	size_t count, room;
	struct map *by_pid; /* indexes */
};

struct held_socket {
	uint32_t inode;
	int32_t pid;
};

struct follow {
	uv_loop_t *loop;
	struct follow_callbacks callbacks;
	uv_timer_t *timer;
	struct worker *worker;
	bool freed, asked;
	int64_t interval;
	int64_t consumed; /* µs that the last sampled() took */

	/* requests, stored by the loop */
	struct members requested;
	int32_t requested_reaper;
	uint16_t requested_ports[FOLLOW_PORTS_MOST];
	size_t n_requested_ports;

	/* the worker's while a scan runs */
	struct procfs *procfs;
	struct links *links;
	struct members members;
	int32_t reaper;
	struct followed_container container;
	uint16_t ports[FOLLOW_PORTS_MOST];
	size_t n_ports;
	bool scan_whole;
	int64_t children_at, children_cost; /* monotonic: when the last scan for children began, and
					       how long it took */
	struct follow_sample sample;
	struct held_socket *holdings;
	size_t n_holdings, holdings_room;
};

static struct followed *append_member(struct members *members, int32_t pid, uint64_t start_ticks)
{
	members->items =
		mem_grow(members->items, members->count, &members->room, sizeof(struct followed));
	members->items[members->count] = (struct followed){ pid, start_ticks, false };
	return &members->items[members->count++];
}

static struct followed *add_member(struct members *members, int32_t pid, uint64_t start_ticks)
{
	for (size_t i = 0; i < members->count; i++)
		if (members->items[i].pid == pid && members->items[i].start_ticks == start_ticks)
			return &members->items[i];
	return append_member(members, pid, start_ticks);
}

static void remove_member(struct members *members, size_t index)
{
	members->items[index] = members->items[--members->count];
}

static void read_table(const struct procfs *procfs, struct table *table)
{
	CLEANUP(cleanup_dir) DIR *root = procfs_open_folder(procfs_root(procfs), ".");
	*table = (struct table){ .arena = arena_new() };
	table->by_pid = map_new(table->arena, 256);
	for (int32_t pid; root && (pid = procfs_next_pid(root));) {
		struct procfs_stat stat;
		if (procfs_stat(procfs, pid, &stat) < 0)
			continue;
		table->entries = mem_grow(
			table->entries, table->count, &table->room, sizeof(*table->entries));
		map_set(table->by_pid, (uint64_t)pid, (uint32_t)table->count);
		table->entries[table->count++] = (struct process_row){
			.pid = pid,
			.parent = stat.parent,
			.start_ticks = stat.start_ticks,
			.ended = procfs_has_ended(&stat),
		};
	}
}

static void table_deinit(struct table *table)
{
	arena_free(table->arena);
	free(table->entries);
}

/* The process with this pid in the table; NULL. */
static struct process_row *table_find(const struct table *table, int32_t pid)
{
	uint32_t index = map_get(table->by_pid, (uint64_t)pid);
	return index == MAP_NONE ? NULL : &table->entries[index];
}

/* A parent is identified by pid and start time: another process may have the pid by now. No child
 * is older than its parent. */
static bool is_child(
	const struct follow *follow, const struct table *table, const struct process_row *entry)
{
	if (entry->member || entry->ended)
		return false;
	if (follow->reaper && entry->parent == follow->reaper)
		return true;
	const struct process_row *parent = table_find(table, entry->parent);
	return parent && parent->member && entry->start_ticks >= parent->start_ticks;
}

/* Adds the container's processes: those are no descendants of its engine's client. */
static void find_contained(struct follow *follow, struct table *table)
{
	struct followed_container *container = &follow->container;
	followed_container_read_id(container);
	for (size_t i = 0; container->id[0] && i < table->count; i++) {
		struct process_row *entry = &table->entries[i];
		if (entry->ended ||
			!followed_container_has(
				container, follow->procfs, entry->pid, entry->start_ticks))
			continue;
		container->seen = entry->member = true;
		add_member(&follow->members, entry->pid, entry->start_ticks)->contained = true;
	}
}

/* Finds children, their children, and so on until a round finds none. */
static void find_children(struct follow *follow)
{
	int64_t began_at = instant_monotonic();
	size_t before;
	struct table table;
	read_table(follow->procfs, &table);
	for (size_t i = 0; i < follow->members.count; i++) {
		const struct followed *member = &follow->members.items[i];
		struct process_row *entry = table_find(&table, member->pid);
		if (entry && entry->start_ticks == member->start_ticks)
			entry->member = true;
	}
	find_contained(follow, &table);
	do {
		before = follow->members.count;
		for (size_t i = 0; i < table.count; i++) {
			struct process_row *entry = &table.entries[i];
			if (!is_child(follow, &table, entry))
				continue;
			entry->member = true;
			append_member(&follow->members, entry->pid, entry->start_ticks);
		}
	} while (follow->members.count > before);
	table_deinit(&table);
	follow->children_at = began_at;
	follow->children_cost = instant_monotonic() - began_at;
}

static void hold(struct follow *follow, uint32_t inode, int32_t pid)
{
	follow->holdings = mem_grow(follow->holdings, follow->n_holdings, &follow->holdings_room,
		sizeof(*follow->holdings));
	follow->holdings[follow->n_holdings++] = (struct held_socket){ inode, pid };
}

/* False if we may not read them. */
static bool read_descriptors(struct follow *follow, int32_t pid)
{
	char path[32];
	snprintf(path, sizeof(path), "%" PRId32 "/fd", pid);
	CLEANUP(cleanup_dir) DIR *folder = procfs_open_folder(procfs_root(follow->procfs), path);
	if (!folder)
		return !procfs_exists(follow->procfs, pid);
	for (uint32_t inode; (inode = procfs_next_socket(folder));)
		hold(follow, inode, pid);
	return true;
}

/* False when the process has ended. */
static bool read_process(
	struct follow *follow, const struct followed *member, struct follow_process *ret)
{
	struct procfs_stat stat;
	int r = procfs_stat(follow->procfs, member->pid, &stat);
	if (r == -ESRCH ||
		(r == 0 && (procfs_has_ended(&stat) || stat.start_ticks != member->start_ticks)))
		return false;
	*ret = (struct follow_process){ .pid = member->pid,
		.start_ticks = member->start_ticks,
		.contained = member->contained };
	/* it is alive as far as we know, but nothing of it can be read */
	ret->refused = r < 0;
	if (r < 0)
		return true;
	const char *name = text_clean(
		follow->sample.arena, stat.comm, strnlen(stat.comm, sizeof(stat.comm)), TEXT_LINE);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	(void)procfs_signals(follow->procfs, member->pid, &ret->signals);
	ret->refused = !read_descriptors(follow, member->pid);
	/* read again: only a reading after the descriptors shows whether the process still had them
	 */
	r = procfs_stat(follow->procfs, member->pid, &stat);
	ret->exiting = r == -ESRCH || (r == 0 && stat.exiting);
	return true;
}

static void read_processes(struct follow *follow)
{
	struct follow_sample *sample = &follow->sample;
	sample->processes =
		arena_array(sample->arena, follow->members.count, sizeof(*sample->processes));
	for (size_t i = 0; i < follow->members.count;) {
		struct follow_process *process = &sample->processes[sample->n_processes];
		if (read_process(follow, &follow->members.items[i], process)) {
			sample->n_processes++;
			i++;
		} else {
			remove_member(&follow->members, i);
		}
	}
}

static void read_sockets(struct follow *follow)
{
	struct follow_sample *sample = &follow->sample;
	uint32_t *inodes = arena_array(sample->arena, follow->n_holdings, sizeof(*inodes));
	for (size_t i = 0; i < follow->n_holdings; i++)
		inodes[i] = follow->holdings[i].inode;
	links_scan(follow->links, inodes, follow->n_holdings, follow->ports, follow->n_ports,
		sample->began_at);
	sample->sockets = arena_array(sample->arena, follow->n_holdings, sizeof(*sample->sockets));
	for (size_t i = 0; i < follow->n_holdings; i++) {
		const struct server_link *link =
			links_find(follow->links, follow->holdings[i].inode);
		if (link)
			sample->sockets[sample->n_sockets++] = (struct follow_socket){
				.inode = link->inode,
				.pid = follow->holdings[i].pid,
				.port = link->port,
				.local = link->local,
				.server_inode = link->server_inode,
				.established = link->established,
				.ended = link->ended,
				.first_seen = link->first_seen,
			};
	}
}

static void scan_on_worker(void *data)
{
	struct follow *follow = data;
	struct follow_sample *sample = &follow->sample;
	*sample = (struct follow_sample){ .arena = arena_new(), .began_at = instant_monotonic() };
	follow->n_holdings = 0;
	int64_t pause = follow->children_cost * SHARE;
	if (pause < CHILDREN_EVERY)
		pause = CHILDREN_EVERY;
	sample->whole = follow->scan_whole || sample->began_at - follow->children_at >= pause;
	if (sample->whole)
		find_children(follow);
	read_processes(follow);
	read_sockets(follow);
	memcpy(sample->container, follow->container.id, sizeof(sample->container));
	sample->container_seen = follow->container.seen;
	sample->taken_at = instant_monotonic();
}

static void destroy(void *data)
{
	struct follow *follow = data;
	arena_free(follow->sample.arena);
	procfs_free(follow->procfs);
	links_free(follow->links);
	free(follow->container.id_file);
	free(follow->requested.items);
	free(follow->members.items);
	free(follow->holdings);
	free(follow);
}

static void start(struct follow *follow);
static void on_timer(uv_timer_t *timer);

/* The cost of a sample is the scan, on a worker, plus what sampled() takes on the loop's thread.
 * Scans for children have a pause of their own and do not count. */
static void schedule(struct follow *follow)
{
	int64_t scan_time = follow->sample.taken_at - follow->sample.began_at;
	int64_t cost = follow->consumed + (follow->sample.whole ? 0 : scan_time);
	int64_t pause = follow->interval - scan_time - follow->consumed;
	if (pause < cost * SHARE / 2)
		pause = cost * SHARE / 2;
	if (follow->interval && !worker_is_busy(follow->worker))
		uv_timer_start(follow->timer, on_timer,
			pause > USEC_PER_MSEC ? (uint64_t)(pause / USEC_PER_MSEC) : 1, 0);
}

static void hand_on(struct follow *follow, const struct follow_sample *sample)
{
	int64_t began_at = instant_monotonic();
	follow->callbacks.sampled(follow->callbacks.data, sample);
	follow->consumed = instant_monotonic() - began_at;
	/* a timer starts at the loop's time, which is still that of before the call */
	uv_update_time(follow->loop);
	if (follow->freed || worker_is_busy(follow->worker))
		return;
	if (follow->asked)
		start(follow);
	else
		schedule(follow);
}

static void after_scan(void *data)
{
	struct follow *follow = data;
	struct follow_sample sample = follow->sample;
	follow->sample.arena = NULL;
	hand_on(follow, &sample);
	arena_free(sample.arena);
}

static void take_requests(struct follow *follow)
{
	for (size_t i = 0; i < follow->requested.count; i++)
		add_member(&follow->members, follow->requested.items[i].pid,
			follow->requested.items[i].start_ticks);
	follow->requested.count = 0;
	follow->reaper = follow->requested_reaper;
	follow->n_ports = follow->n_requested_ports;
	memcpy(follow->ports, follow->requested_ports, sizeof(follow->ports));
}

static void start(struct follow *follow)
{
	take_requests(follow);
	follow->scan_whole = follow->asked;
	follow->asked = false;
	follow->sample = (struct follow_sample){ .arena = NULL };
	worker_start(follow->worker);
}

static void on_timer(uv_timer_t *timer)
{
	struct follow *follow = timer->data;
	if (!worker_is_busy(follow->worker))
		start(follow);
}

struct follow *follow_new(
	uv_loop_t *loop, const char *proc_root, const struct follow_callbacks *callbacks)
{
	struct follow *follow = mem_alloc(sizeof(*follow));
	const struct worker_callbacks worker = { follow, scan_on_worker, after_scan, destroy };
	follow->loop = loop;
	follow->callbacks = *callbacks;
	follow->worker = worker_new(loop, &worker);
	follow->procfs = procfs_new(proc_root);
	follow->links = links_new();
	follow->timer = handle_new_timer(loop, follow);
	return follow;
}

void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	handle_close(follow->timer);
	follow->freed = true;
	worker_free(follow->worker);
}

void follow_process(struct follow *follow, int32_t pid, uint64_t start_ticks)
{
	add_member(&follow->requested, pid, start_ticks);
}

void follow_children_of(struct follow *follow, int32_t pid)
{
	follow->requested_reaper = pid;
}

void follow_container(struct follow *follow, const char *id_file, uint64_t since)
{
	follow->container.id_file = mem_strdup(id_file);
	follow->container.since = since;
}

void follow_set_ports(struct follow *follow, const uint16_t *ports, size_t count)
{
	follow->n_requested_ports = count < FOLLOW_PORTS_MOST ? count : FOLLOW_PORTS_MOST;
	memcpy(follow->requested_ports, ports, follow->n_requested_ports * sizeof(*ports));
}

void follow_set_interval(struct follow *follow, int64_t interval)
{
	follow->interval = interval;
	if (!interval)
		uv_timer_stop(follow->timer);
	else if (!worker_is_busy(follow->worker))
		uv_timer_start(follow->timer, on_timer, (uint64_t)(interval / USEC_PER_MSEC), 0);
}

void follow_now(struct follow *follow)
{
	follow->asked = true;
	if (!worker_is_busy(follow->worker))
		start(follow);
}

bool follow_scan_here(struct follow *follow, bool whole, struct follow_sample *ret_sample)
{
	if (worker_is_busy(follow->worker))
		return false;
	take_requests(follow);
	follow->scan_whole = whole;
	scan_on_worker(follow);
	*ret_sample = follow->sample;
	follow->sample.arena = NULL;
	return true;
}
