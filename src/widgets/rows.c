/* Filters, groups and sorts: each connection is read once, then only indices are moved. */
#include "widgets/rows.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "model/assessment.h"
#include "widgets/filter.h"

/* A connection while the list is built. */
struct entry {
	uint64_t key;     /* the sort key: a number, or the first eight bytes of a text */
	const char *text; /* the whole text; NULL for a number */
	uint32_t connection;
	uint32_t group;
};

struct build {
	struct rows *rows;
	const struct assessment *assessment;
	const struct rows_options *options;
	struct map *group_index; /* identity → index into rows->groups */
	struct entry *entries;
	uint32_t *first_entry; /* for each group: the index of its first entry in sorted order */
};

static uint32_t add_group(
	struct build *build, enum group_kind kind, struct identity identity, uint32_t sample)
{
	struct rows *rows = build->rows;
	rows->groups[rows->n_groups] = (struct group){
		.identity = identity,
		.kind = kind,
		.sample = sample,
		.process = NO_PROCESS,
		.folded = identity_set_has(build->options->folded, identity),
	};
	return (uint32_t)rows->n_groups++;
}

static uint32_t find_group(struct build *build, uint32_t index)
{
	const struct connection *connection = &build->assessment->connections[index];
	struct identity identity;
	enum group_kind kind =
		group_of(build->assessment, connection, build->options->grouping, &identity);
	uint64_t key = map_mix(identity.a, identity.b);
	uint32_t group = map_get(build->group_index, key);
	if (group == MAP_NONE) {
		group = add_group(build, kind, identity, index);
		build->rows->groups[group].process = connection->process;
		map_set(build->group_index, key, group);
	}
	return group;
}

static uint64_t text_key(const char *text)
{
	char head[8] = { 0 };
	if (!text)
		return UINT64_MAX; /* last */
	memccpy(head, text, '\0', sizeof(head));
	uint64_t key;
	memcpy(&key, head, sizeof(key));
	return be64toh(key);
}

static struct entry make_entry(const struct build *build, uint32_t index)
{
	const struct connection *connection = &build->assessment->connections[index];
	const struct column *column = column_get(build->options->sort);
	struct entry entry = { .connection = index };
	if (column->key) {
		entry.key = column->key(connection);
		return entry;
	}
	entry.text = column->text(build->assessment, connection);
	entry.key = text_key(entry.text);
	return entry;
}

/* Equal entries keep the server's order, so that rows do not move without need. */
static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	int order = a->text && b->text ? strcmp(a->text, b->text) : 0;
	if (order)
		return order;
	return a->connection < b->connection ? -1 : a->connection > b->connection;
}

static void collect(struct build *build)
{
	const struct assessment *assessment = build->assessment;
	struct rows *rows = build->rows;
	for (uint32_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (!connection->in_scope)
			continue;
		rows->n_total++;
		uint32_t group = find_group(build, i);
		rows->groups[group].total++;
		if (!filter_matches(build->options->filter, assessment, connection))
			continue;
		struct entry *entry = &build->entries[rows->n_members++];
		*entry = make_entry(build, i);
		entry->group = group;
		rows->groups[group].count++;
		rows->groups[group].leaked += connection->verdict.status == STATUS_LEAKED;
	}
}

static void reverse(struct entry *entries, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct entry other = entries[i];
		entries[i] = entries[count - 1 - i];
		entries[count - 1 - i] = other;
	}
}

static int by_more(uint32_t a, uint32_t b)
{
	return a > b ? -1 : a < b;
}

static int compare_names(
	const struct assessment *assessment, const struct group *a, const struct group *b)
{
	if (a->kind != GROUP_PROCESS || b->kind != GROUP_PROCESS)
		return 0;
	const struct process *left = &assessment->processes[a->process].process;
	const struct process *right = &assessment->processes[b->process].process;
	if (left->command && right->command && strcmp(left->command, right->command) != 0)
		return strcmp(left->command, right->command);
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

/* Groups with leaks come first. When the sort key is the status (the default), the others are
 * ordered by size and name, so that they do not move when the state of a member changes; else by
 * their first member. */
static int compare_groups(const void *left, const void *right, void *data)
{
	const struct build *build = data;
	uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;
	const struct group *a = &build->rows->groups[l], *b = &build->rows->groups[r];
	int order = group_is_last(a->kind) - group_is_last(b->kind);
	if (!order)
		order = (b->leaked > 0) - (a->leaked > 0);
	if (!order && build->options->sort == COLUMN_STATUS) {
		order = by_more(a->leaked, b->leaked);
		order = order ? order : by_more(a->total, b->total);
		order = order ? order : compare_names(build->assessment, a, b);
	}
	return order ? order : by_more(build->first_entry[r], build->first_entry[l]);
}

/* Sorts the groups and gives each its range of members. */
static void sort_groups(struct build *build)
{
	struct rows *rows = build->rows;
	uint32_t *order = arena_array(rows->arena, rows->n_groups, sizeof(*order));
	build->first_entry = arena_array(rows->arena, rows->n_groups, sizeof(uint32_t));
	for (uint32_t i = 0; i < rows->n_groups; i++)
		order[i] = i;
	for (size_t i = rows->n_members; i-- > 0;)
		build->first_entry[build->entries[i].group] = (uint32_t)i;
	qsort_r(order, rows->n_groups, sizeof(*order), compare_groups, build);

	struct group *sorted = arena_array(rows->arena, rows->n_groups, sizeof(*sorted));
	uint32_t *next = arena_array(rows->arena, rows->n_groups, sizeof(*next));
	uint32_t first = 0;
	for (uint32_t i = 0; i < rows->n_groups; i++) {
		sorted[i] = rows->groups[order[i]];
		sorted[i].first = next[order[i]] = first;
		first += sorted[i].count;
	}
	for (size_t i = 0; i < rows->n_members; i++) {
		const struct entry *entry = &build->entries[i];
		struct member *member = &rows->members[next[entry->group]++];
		member->connection = entry->connection;
		member->identity =
			identity_of(build->assessment->connections[entry->connection].backend);
	}
	rows->groups = sorted;
}

static void list_rows(struct rows *rows, bool filtered)
{
	for (uint32_t i = 0; i < rows->n_groups; i++) {
		const struct group *group = &rows->groups[i];
		if (filtered && !group->count)
			continue;
		if (group->kind != GROUP_FLAT)
			rows->rows[rows->n_rows++] = (struct row){ i, ROW_HEADER };
		for (uint32_t m = 0; m < group->count && !group->folded; m++)
			rows->rows[rows->n_rows++] = (struct row){ i, group->first + m };
	}
}

static void add_bare_process(struct build *build, uint32_t process, uint32_t total)
{
	struct identity identity = group_of_process(build->assessment, process);
	uint64_t key = map_mix(identity.a, identity.b);
	if (map_get(build->group_index, key) != MAP_NONE)
		return;
	uint32_t group = add_group(build, GROUP_PROCESS, identity, UINT32_MAX);
	build->rows->groups[group].process = process;
	build->rows->groups[group].total = total;
	map_set(build->group_index, key, group);
}

/* Processes without a row of the server: it refused our connection, so that only their sockets to
 * it are known; or they have not logged in. */
static void add_bare_processes(struct build *build)
{
	const struct assessment *assessment = build->assessment;
	for (uint32_t i = 0; i < assessment->n_processes; i++) {
		const struct client_process *client = &assessment->processes[i];
		if (!assessment->activity && client->connections)
			add_bare_process(build, i, client->connections);
		else if (client->logging_in && build->options->grouping == GROUPING_PROCESS)
			add_bare_process(build, i, 0);
	}
}

void rows_build(
	struct rows *rows, const struct assessment *assessment, const struct rows_options *options)
{
	struct arena *arena = rows->arena ? rows->arena : arena_new();
	arena_reset(arena);
	size_t most = assessment->n_connections + assessment->n_processes;
	*rows = (struct rows){
		.arena = arena,
		.groups = arena_array(arena, most, sizeof(*rows->groups)),
		.members = arena_array(arena, most, sizeof(*rows->members)),
		.rows = arena_array(arena, most * 2, sizeof(*rows->rows)),
	};
	struct build build = {
		.rows = rows,
		.assessment = assessment,
		.options = options,
		.group_index = map_new(arena, 64),
		.entries = arena_array(arena, most, sizeof(*build.entries)),
	};
	collect(&build);
	add_bare_processes(&build);
	qsort(build.entries, rows->n_members, sizeof(*build.entries), compare_entries);
	if (options->reverse)
		reverse(build.entries, rows->n_members);
	sort_groups(&build);
	list_rows(rows, options->filter->n_terms > 0);
}

void rows_deinit(struct rows *rows)
{
	arena_free(rows->arena);
	*rows = (struct rows){ 0 };
}

struct identity rows_identity(const struct rows *rows, size_t row)
{
	if (row >= rows->n_rows)
		return (struct identity){ 0 };
	if (rows->rows[row].member == ROW_HEADER)
		return rows->groups[rows->rows[row].group].identity;
	return rows->members[rows->rows[row].member].identity;
}

size_t rows_find(const struct rows *rows, struct identity identity)
{
	for (size_t i = 0; i < rows->n_rows; i++)
		if (identity_equal(rows_identity(rows, i), identity))
			return i;
	return rows->n_rows;
}
