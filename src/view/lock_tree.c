/* Makes trees of the graph of waits. A session with several blockers is put below the one with the
 * longest chain above it, so that a queue is one chain. */
#include "view/lock_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"
#include "model/lock.h"

#define NOWHERE SIZE_MAX

/* A session that waits or blocks. */
struct session_entry {
	int32_t pid;
	const struct lock *waits;
	size_t above; /* index of the blocker that it is put below; NOWHERE */
	int depth;    /* length of the chain above; −1 while it is computed, −2 before */
	size_t n_blocked;
	bool in_circle;
};

struct graph {
	const struct assessment *assessment;
	const struct lock_table *table;
	struct map *by_pid;
	struct session_entry *entries;
	size_t count;
};

const struct connection *lock_tree_session(
	const struct assessment *assessment, const struct lock_table *table, int32_t pid)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->backend->pid == pid && connection->first_seen <= table->taken_at)
			return connection;
	}
	return NULL;
}

static size_t entry_of(struct graph *graph, int32_t pid)
{
	uint32_t index = map_get(graph->by_pid, (uint64_t)pid);
	if (index != MAP_NONE)
		return index;
	map_set(graph->by_pid, (uint64_t)pid, (uint32_t)graph->count);
	graph->entries[graph->count] =
		(struct session_entry){ .pid = pid, .above = NOWHERE, .depth = -2 };
	return graph->count++;
}

static struct graph graph_of(struct arena *arena, const struct assessment *assessment)
{
	const struct lock_table *table = assessment->locks;
	struct graph graph = { .assessment = assessment, .table = table };
	size_t most = 0;
	for (size_t i = 0; i < table->count; i++)
		most += table->items[i].granted ? 0 : 1 + table->items[i].n_blockers;
	graph.by_pid = map_new(arena, most);
	graph.entries = arena_array(arena, most, sizeof(*graph.entries));
	for (size_t i = 0; i < table->count; i++) {
		const struct lock *lock = &table->items[i];
		if (lock->granted)
			continue;
		size_t entry = entry_of(&graph, lock->pid);
		graph.entries[entry].waits = lock;
		for (size_t b = 0; b < lock->n_blockers; b++)
			(void)entry_of(&graph, lock->blockers[b]);
	}
	return graph;
}

/* Computes the depth of an entry, and which blocker it is put below. A blocker with depth −1 is
 * below this entry already: the waits form a circle. */
static int settle_depth(struct graph *graph, size_t index)
{
	struct session_entry *entry = &graph->entries[index];
	if (entry->depth != -2)
		return entry->depth;
	entry->depth = -1;
	int depth = 0;
	for (size_t b = 0; entry->waits && b < entry->waits->n_blockers; b++) {
		size_t blocker = entry_of(graph, entry->waits->blockers[b]);
		int above = settle_depth(graph, blocker);
		if (above < 0) {
			entry->in_circle = true;
		} else if (above + 1 > depth) {
			depth = above + 1;
			entry->above = blocker;
		}
	}
	entry->depth = depth;
	return depth;
}

static void count_blocked(struct graph *graph)
{
	for (size_t i = 0; i < graph->count; i++)
		(void)settle_depth(graph, i);
	for (size_t i = 0; i < graph->count; i++)
		for (size_t at = graph->entries[i].above; at != NOWHERE;
			at = graph->entries[at].above)
			graph->entries[at].n_blocked++;
}

static int64_t since_of(const struct session_entry *entry)
{
	return entry->waits ? entry->waits->since : INSTANT_UNKNOWN;
}

/* Sorts by the number of blocked sessions, then by how long they wait. */
static int compare_entries(const struct session_entry *a, const struct session_entry *b)
{
	if (a->n_blocked != b->n_blocked)
		return a->n_blocked > b->n_blocked ? -1 : 1;
	if (since_of(a) != since_of(b))
		return since_of(a) < since_of(b) ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* A lock that the blocker holds on the object that is waited for. It may hold several; the first is
 * taken. */
static const struct lock *held_lock(
	const struct lock_table *table, int32_t holder, const struct lock *wanted)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct lock *lock = &table->items[i];
		if (lock->granted && lock->pid == holder && strcmp(lock->type, wanted->type) == 0 &&
			strcmp(lock->object, wanted->object) == 0)
			return lock;
	}
	return NULL;
}

static void add_node(const struct graph *graph, struct lock_tree *tree, size_t index, size_t above,
	int depth, bool last)
{
	const struct session_entry *entry = &graph->entries[index];
	struct lock_node node = {
		.pid = entry->pid,
		.connection = lock_tree_session(graph->assessment, graph->table, entry->pid),
		.waits = entry->waits,
		.above = above,
		.n_blocked = entry->n_blocked,
		.depth = depth < LOCK_DEPTH_MAX ? depth : LOCK_DEPTH_MAX,
		.last = last,
		.in_circle = depth == 0 && entry->in_circle,
	};
	if (depth && entry->waits) {
		node.held = held_lock(graph->table, graph->entries[entry->above].pid, entry->waits);
		node.n_others = entry->waits->n_blockers - 1;
	}
	tree->nodes[tree->count++] = node;
}

/* Adds the entries directly below `above` (NOWHERE: the roots) in their order. */
static void add_below(
	const struct graph *graph, struct lock_tree *tree, size_t above, size_t node, int depth)
{
	const struct session_entry *before = NULL;
	size_t before_node = NOWHERE;
	for (;;) {
		const struct session_entry *next = NULL;
		for (size_t i = 0; i < graph->count; i++) {
			const struct session_entry *entry = &graph->entries[i];
			if (entry->above == above &&
				(!before || compare_entries(before, entry) < 0) &&
				(!next || compare_entries(entry, next) < 0))
				next = entry;
		}
		if (!next) {
			if (before_node != NOWHERE)
				tree->nodes[before_node].last = true;
			return;
		}
		before = next;
		before_node = tree->count;
		add_node(graph, tree, (size_t)(next - graph->entries), depth ? node : tree->count,
			depth, false);
		add_below(graph, tree, (size_t)(next - graph->entries), before_node, depth + 1);
	}
}

struct lock_tree lock_tree_build(struct arena *arena, const struct assessment *assessment)
{
	struct lock_tree tree = { 0 };
	if (!assessment->locks)
		return tree;
	struct graph graph = graph_of(arena, assessment);
	count_blocked(&graph);
	tree.nodes = arena_array(arena, graph.count, sizeof(*tree.nodes));
	add_below(&graph, &tree, NOWHERE, NOWHERE, 0);
	for (size_t i = 0; i < tree.count; i++) {
		tree.n_waiting += tree.nodes[i].waits != NULL;
		tree.n_roots += tree.nodes[i].depth == 0 && tree.nodes[i].n_blocked;
	}
	return tree;
}
