/* Keeps the results of the last walk: its sockets and the processes that hold them (a generation).
 * The next walk makes a new generation. */
#include "proc/owners.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/peers.h"
#include "proc/descriptors.h"
#include "proc/procfs.h"

/* A socket that the last walk looked for. */
struct known_socket {
	int64_t listed_at; /* monotonic: when it was requested first */
	bool is_old;       /* old enough when the walk ran: no other walk is needed for it */
	bool client;
	unsigned scan; /* the last scan that requested it */
};

/* A process that the last walk found. */
struct known_process {
	struct process facts; /* strings in the generation's arena */
	char comm[PROCFS_COMM_MAX];
	uint64_t cpu_ticks;
	int64_t checked_at; /* monotonic */
	bool client;
	unsigned scan;      /* the last scan that it was part of */
	uint32_t published; /* its index in the published block */
};

struct holding {
	uint32_t inode;
	uint32_t socket, process; /* indexes */
};

struct generation {
	struct arena *arena;
	struct map *sockets_by_inode, *processes_by_key;
	struct known_socket *sockets;
	struct known_process *processes;
	struct holding *holdings; /* sorted as by descriptors_scan() */
	size_t n_processes, n_holdings;
	int64_t scanned_at; /* our wall clock */
	int n_refused;
};

struct owners {
	struct procfs *procfs;
	struct generation generation;
	int64_t now; /* monotonic: when the current scan began */
	unsigned scan, walks;
};

static struct generation generation_new(size_t n_sockets)
{
	struct arena *arena = arena_new();
	return (struct generation){
		.arena = arena,
		.sockets_by_inode = map_new(arena, n_sockets),
		.processes_by_key = map_new(arena, 0),
		.sockets = arena_array(arena, n_sockets, sizeof(struct known_socket)),
		.scanned_at = INSTANT_UNKNOWN,
	};
}

struct owners *owners_new(const char *proc_root)
{
	struct owners *owners = mem_alloc(sizeof(*owners));
	owners->procfs = procfs_new(proc_root);
	owners->generation = generation_new(0);
	return owners;
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	arena_free(owners->generation.arena);
	procfs_free(owners->procfs);
	free(owners);
}

struct procfs *owners_procfs(const struct owners *owners)
{
	return owners->procfs;
}

unsigned owners_walks(const struct owners *owners)
{
	return owners->walks;
}

static uint64_t process_key(int32_t pid, uint64_t start_ticks)
{
	return map_mix((uint64_t)pid, start_ticks);
}

static void list_sockets(const struct owners *owners, const struct owners_wanted *wanted, size_t n,
	struct generation *next)
{
	const struct generation *last = &owners->generation;
	for (size_t i = 0; i < n; i++) {
		uint32_t known = map_get(last->sockets_by_inode, wanted[i].inode);
		int64_t listed_at =
			known == MAP_NONE ? owners->now : last->sockets[known].listed_at;
		map_set(next->sockets_by_inode, wanted[i].inode, (uint32_t)i);
		next->sockets[i] = (struct known_socket){
			.listed_at = listed_at,
			.is_old = owners->now - listed_at >= OWNERS_SETTLE,
		};
	}
}

static void describe(struct owners *owners, const struct descriptors_process *found,
	struct arena *arena, struct known_process *ret)
{
	struct procfs_stat stat;
	int r = procfs_describe(owners->procfs, arena, found->pid, &ret->facts, &stat);
	if (r < 0 || stat.start_ticks != found->stat.start_ticks) {
		bool gone = r == 0 || r == -ESRCH;
		stat = found->stat;
		ret->facts = (struct process){
			.pid = found->pid,
			.start_ticks = stat.start_ticks,
			.started_at = procfs_started_at(owners->procfs, stat.start_ticks),
			.ended_at = gone ? instant_now() : INSTANT_UNKNOWN,
			.name = text_clean(arena, stat.comm, sizeof(stat.comm), TEXT_LINE),
			.uid = UINT32_MAX,
			.cpu_percent = NAN,
			.rss_bytes = -1,
		};
	}
	memcpy(ret->comm, stat.comm, sizeof(ret->comm));
	ret->cpu_ticks = stat.cpu_ticks;
	ret->checked_at = owners->now;
}

static struct known_process keep(const struct known_process *last, struct arena *arena)
{
	struct known_process kept = *last;
	kept.facts = process_copy(arena, &last->facts);
	return kept;
}

/* If the name has changed, the process runs another program, whose start closed descriptors that
 * are not inherited. */
static bool is_same(const struct known_process *process, const struct procfs_stat *stat)
{
	return !procfs_has_ended(stat) && stat->start_ticks == process->facts.start_ticks &&
		strcmp(stat->comm, process->comm) == 0;
}

/* What is known of a process is kept while it is the same process. */
static void list_processes(
	struct owners *owners, const struct descriptors_scan *scan, struct generation *next)
{
	const struct generation *last = &owners->generation;
	next->n_processes = scan->n_processes;
	next->processes = arena_array(next->arena, scan->n_processes, sizeof(*next->processes));
	for (uint32_t i = 0; i < scan->n_processes; i++) {
		const struct descriptors_process *found = &scan->processes[i];
		uint64_t key = process_key(found->pid, found->stat.start_ticks);
		uint32_t known = map_get(last->processes_by_key, key);
		if (known != MAP_NONE && is_same(&last->processes[known], &found->stat))
			next->processes[i] = keep(&last->processes[known], next->arena);
		else
			describe(owners, found, next->arena, &next->processes[i]);
		map_set(next->processes_by_key, key, i);
	}
}

static void list_holdings(const struct descriptors_scan *scan, struct generation *next)
{
	next->n_holdings = scan->n_owners;
	next->holdings = arena_array(next->arena, scan->n_owners, sizeof(*next->holdings));
	for (size_t i = 0; i < scan->n_owners; i++) {
		uint32_t inode = scan->owners[i].inode;
		next->holdings[i] = (struct holding){
			.inode = inode,
			.socket = map_get(next->sockets_by_inode, inode),
			.process = scan->owners[i].process,
		};
	}
}

/* If /proc cannot be read, the last generation is kept. */
static void walk(struct owners *owners, const struct owners_wanted *wanted, size_t n)
{
	struct generation next = generation_new(n);
	struct descriptors_scan scan;
	list_sockets(owners, wanted, n, &next);
	next.scanned_at = instant_now();
	owners->walks++;
	if (descriptors_scan(
		    procfs_root(owners->procfs), next.sockets_by_inode, next.arena, &scan) < 0) {
		arena_free(next.arena);
		return;
	}
	list_processes(owners, &scan, &next);
	list_holdings(&scan, &next);
	next.n_refused = scan.n_refused;
	arena_free(owners->generation.arena);
	owners->generation = next;
}

static void mark_process(struct owners *owners, struct known_process *process, bool client)
{
	if (process->scan != owners->scan)
		process->client = false;
	process->scan = owners->scan;
	process->client |= client;
}

/* Marks the requested sockets and their owners. False if the last walk did not look for one of the
 * sockets, or ran too early after the socket was requested first. */
static bool mark(struct owners *owners, const struct owners_wanted *wanted, size_t n)
{
	struct generation *generation = &owners->generation;
	bool known = true;
	for (size_t i = 0; i < n; i++) {
		uint32_t index = map_get(generation->sockets_by_inode, wanted[i].inode);
		if (index == MAP_NONE) {
			known = false;
			continue;
		}
		struct known_socket *socket = &generation->sockets[index];
		socket->scan = owners->scan;
		socket->client = wanted[i].client;
		known &= socket->is_old || owners->now - socket->listed_at < OWNERS_SETTLE;
	}
	for (size_t i = 0; i < generation->n_holdings; i++) {
		const struct holding *holding = &generation->holdings[i];
		const struct known_socket *socket = &generation->sockets[holding->socket];
		if (socket->scan == owners->scan)
			mark_process(
				owners, &generation->processes[holding->process], socket->client);
	}
	return known;
}

/* Reads the process's CPU time and memory. False if it is not the same process any more. */
static bool sample(struct owners *owners, struct known_process *process)
{
	struct procfs_stat stat;
	if (procfs_stat(owners->procfs, process->facts.pid, &stat) < 0 || !is_same(process, &stat))
		return false;
	double ticks = (double)stat.cpu_ticks - (double)process->cpu_ticks;
	double seconds = (double)(owners->now - process->checked_at) / USEC_PER_SEC;
	double percent = 100 * ticks / (double)procfs_ticks_per_second(owners->procfs) / seconds;
	process->facts.cpu_percent = percent > 0 ? percent : 0;
	process->facts.rss_bytes = stat.rss_bytes;
	process->facts.state = stat.state;
	procfs_wait_channel(owners->procfs, process->facts.pid, process->facts.wait_channel);
	process->cpu_ticks = stat.cpu_ticks;
	return true;
}

/* Samples each process that holds a client end if it is due; otherwise only checks that it exists.
 * The server's own processes, one for each connection, are not checked: when one ends, its socket
 * is closed and no longer requested. False if a process is not the same any more. */
static bool follow(struct owners *owners)
{
	struct generation *generation = &owners->generation;
	bool same = true;
	for (size_t i = 0; i < generation->n_processes; i++) {
		struct known_process *process = &generation->processes[i];
		if (process->scan != owners->scan || !process->client)
			continue;
		bool due = owners->now - process->checked_at >= OWNERS_SAMPLE;
		if (due)
			same &= sample(owners, process);
		else
			same &= procfs_exists(owners->procfs, process->facts.pid);
		if (due)
			process->checked_at = owners->now;
	}
	return same;
}

static void publish_processes(struct owners *owners, struct peers *peers)
{
	struct generation *generation = &owners->generation;
	peers->processes =
		arena_array(peers->arena, generation->n_processes, sizeof(*peers->processes));
	for (size_t i = 0; i < generation->n_processes; i++) {
		struct known_process *process = &generation->processes[i];
		if (process->scan != owners->scan)
			continue;
		process->published = (uint32_t)peers->n_processes;
		peers->processes[peers->n_processes++] =
			process_copy(peers->arena, &process->facts);
	}
}

static void publish_owners(const struct owners *owners, struct peers *peers)
{
	const struct generation *generation = &owners->generation;
	peers->owners = arena_array(peers->arena, generation->n_holdings, sizeof(*peers->owners));
	for (size_t i = 0; i < generation->n_holdings; i++) {
		const struct holding *holding = &generation->holdings[i];
		if (generation->sockets[holding->socket].scan != owners->scan)
			continue;
		peers->owners[peers->n_owners++] = (struct socket_owner){
			.inode = holding->inode,
			.process = generation->processes[holding->process].published,
		};
	}
}

static int64_t backend_started_at(const struct owners *owners, int32_t pid)
{
	struct procfs_stat stat;
	if (pid <= 0 || procfs_stat(owners->procfs, pid, &stat) < 0 || procfs_has_ended(&stat))
		return INSTANT_UNKNOWN;
	return procfs_started_at(owners->procfs, stat.start_ticks);
}

void owners_find(struct owners *owners, const struct owners_wanted *wanted, size_t n_wanted,
	bool fresh, int64_t now, struct peers *peers)
{
	owners->now = now;
	owners->scan++;
	bool known = mark(owners, wanted, n_wanted);
	bool same = follow(owners);
	if (fresh || !known || !same) {
		walk(owners, wanted, n_wanted);
		(void)mark(owners, wanted, n_wanted);
	}
	publish_processes(owners, peers);
	publish_owners(owners, peers);
	peers->scanned_at = owners->generation.scanned_at;
	peers->n_refused = owners->generation.n_refused;
	peers->backend_started_at = backend_started_at(owners, peers->target.backend_pid);
	peers->backend_in_network = peers->backend_started_at != INSTANT_UNKNOWN &&
		procfs_shares_network(owners->procfs, peers->target.backend_pid);
}
