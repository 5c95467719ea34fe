/* The agent numbers its processes; a block has them by index. */
#include "collect/host_merge.h"

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

#define NO_PROCESS UINT32_MAX

struct merging {
	const struct host_ends *before;
	const struct host_answer *answer;
	struct host_ends *ends;
	struct map *described;   /* the agent's number → index into the answer's processes */
	struct map *known;       /* the same → index into the processes before */
	struct map *placed;      /* the same → index into the new processes */
	struct map *ends_before; /* key of the end → index into the ends before */
	struct map *changes;     /* the same → index into the answer's changes */
};

static void index_all(struct merging *merging, struct arena *arena, size_t n_asked)
{
	const struct host_answer *answer = merging->answer;
	const struct host_ends *before = merging->before;
	merging->described = map_new(arena, answer->n_processes);
	for (size_t i = 0; i < answer->n_processes; i++)
		map_set(merging->described, answer->processes[i].id, (uint32_t)i);
	merging->changes = map_new(arena, answer->n_changes);
	for (size_t i = 0; i < answer->n_changes; i++)
		map_set(merging->changes, asked_end_key(&answer->changes[i].end), (uint32_t)i);
	merging->known = map_new(arena, before ? before->n_processes : 0);
	for (size_t i = 0; before && i < before->n_processes; i++)
		map_set(merging->known, before->process_ids[i], (uint32_t)i);
	merging->ends_before = map_new(arena, before ? before->n_ends : 0);
	for (size_t i = 0; before && i < before->n_ends; i++)
		map_set(merging->ends_before, asked_end_key(&before->ends[i].end), (uint32_t)i);
	merging->placed = map_new(arena, n_asked);
}

/* The process's index in the new block; NO_PROCESS if it was never described. */
static uint32_t place(struct merging *merging, uint32_t id)
{
	struct host_ends *ends = merging->ends;
	uint32_t index = map_get(merging->placed, id);
	if (index != MAP_NONE)
		return index;
	uint32_t described = map_get(merging->described, id);
	uint32_t known = map_get(merging->known, id);
	const struct process *before =
		known == MAP_NONE ? NULL : &merging->before->processes[known];
	const struct process *now =
		described == MAP_NONE ? before : &merging->answer->processes[described].process;
	if (!now)
		return NO_PROCESS;
	index = (uint32_t)ends->n_processes++;
	ends->processes[index] = process_copy(ends->arena, now);
	ends->processes[index].host = ends->name;
	/* it ended when that was first seen */
	if (before && before->ended_at != INSTANT_UNKNOWN)
		ends->processes[index].ended_at = before->ended_at;
	ends->process_ids[index] = id;
	map_set(merging->placed, id, index);
	return index;
}

/* What is known of the end now. False if it names a process that was never described. */
static bool merge_end(struct merging *merging, const struct asked_end *end, struct host_end *ret)
{
	uint32_t change = map_get(merging->changes, asked_end_key(end));
	uint32_t old = map_get(merging->ends_before, asked_end_key(end));
	uint32_t id = 0;
	*ret = (struct host_end){ .end = *end, .process = NO_PROCESS };
	if (change != MAP_NONE) {
		const struct host_change *from = &merging->answer->changes[change];
		ret->state = from->state;
		ret->shared_by = from->shared_by;
		id = from->process;
	} else if (old != MAP_NONE) {
		const struct host_end *from = &merging->before->ends[old];
		ret->state = from->state;
		ret->shared_by = from->shared_by;
		if (from->process != NO_PROCESS)
			id = merging->before->process_ids[from->process];
	}
	if (id)
		ret->process = place(merging, id);
	return !id || ret->process != NO_PROCESS;
}

static const char *find_fault(
	struct merging *merging, const struct asked_end *asked, size_t n_asked, struct arena *arena)
{
	const struct host_answer *answer = merging->answer;
	struct map *known = map_new(arena, n_asked);
	for (size_t i = 0; i < n_asked; i++)
		map_set(known, asked_end_key(&asked[i]), (uint32_t)i);
	for (size_t i = 0; i < answer->n_changes; i++) {
		const struct asked_end *end = &answer->changes[i].end;
		uint32_t at = map_get(known, asked_end_key(end));
		if (at == MAP_NONE || !asked_end_equal(&asked[at], end))
			return "dbtop --peers answers about ends that it was not asked about";
	}
	return NULL;
}

static void copy_interfaces(struct merging *merging)
{
	const struct host_ends *before = merging->before;
	struct host_ends *ends = merging->ends;
	bool has_new = merging->answer->has_interfaces;
	const struct endpoint *from = has_new ? merging->answer->interfaces
		: before                      ? before->interfaces
					      : NULL;
	size_t count = has_new ? merging->answer->n_interfaces : before ? before->n_interfaces : 0;
	ends->interfaces = arena_array(ends->arena, count, sizeof(*ends->interfaces));
	ends->n_interfaces = count;
	for (size_t i = 0; i < count; i++)
		ends->interfaces[i] = from[i];
}

/* The process that wrote the page, if it is one of those that are known. A page of root may be of
 * any user's process. */
static const struct process *find_writer(const struct host_ends *ends, const struct pool_page *page)
{
	for (size_t i = 0; i < ends->n_processes; i++)
		if (pool_page_is_of(page, &ends->processes[i]) &&
			(page->uid == 0 || page->uid == ends->processes[i].uid))
			return &ends->processes[i];
	return NULL;
}

static const struct pool_page *find_page_before(const struct host_ends *before, uint32_t id)
{
	for (size_t i = 0; before && i < before->n_pages; i++)
		if (before->page_ids[i] == id)
			return &before->pages[i];
	return NULL;
}

/* A page of a process that holds no end is not taken. */
static void merge_pages(struct merging *merging)
{
	const struct host_pages *pages = &merging->answer->pages;
	struct host_ends *ends = merging->ends;
	int64_t now = instant_now();
	ends->pages_left_out = pages->left_out;
	ends->pages = arena_array(ends->arena, pages->count, sizeof(*ends->pages));
	ends->page_ids = arena_array(ends->arena, pages->count, sizeof(*ends->page_ids));
	for (size_t i = 0; i < pages->count; i++) {
		const struct host_page *row = &pages->items[i];
		const struct pool_page *from =
			row->is_same ? find_page_before(merging->before, row->id) : &row->page;
		if (!from)
			continue;
		struct pool_page page = host_page_copy(ends->arena, from, now);
		page.host = ends->name;
		page.process = find_writer(ends, &page);
		if (!page.process)
			continue;
		if (!row->is_same)
			page.path = arena_printf(ends->arena, "%s:%s", ends->name, page.path);
		ends->page_ids[ends->n_pages] = row->id;
		ends->pages[ends->n_pages++] = page;
	}
}

static bool is_news(const struct host_ends *before, const struct host_answer *answer)
{
	return !before || answer->n_changes || answer->n_processes || answer->has_interfaces ||
		answer->server_pid != before->server_pid ||
		answer->server_started_at != before->server_started_at;
}

struct host_ends *host_merge(const struct host_ends *before, const struct host_answer *answer,
	const char *name, const struct asked_end *asked, size_t n_asked, const char **ret_error)
{
	struct host_ends *ends = host_ends_new();
	struct arena *scratch = arena_new();
	struct merging merging = { .before = before, .answer = answer, .ends = ends };
	ends->name = arena_strdup(ends->arena, name);
	ends->number = answer->number;
	ends->is_news = is_news(before, answer);
	ends->server_pid = answer->server_pid;
	ends->server_started_at = answer->server_started_at;
	ends->ends = arena_array(ends->arena, n_asked, sizeof(*ends->ends));
	ends->processes = arena_array(ends->arena, n_asked, sizeof(*ends->processes));
	ends->process_ids = arena_array(ends->arena, n_asked, sizeof(*ends->process_ids));
	index_all(&merging, scratch, n_asked);
	copy_interfaces(&merging);
	const char *fault = find_fault(&merging, asked, n_asked, scratch);
	for (size_t i = 0; !fault && i < n_asked; i++)
		if (!merge_end(&merging, &asked[i], &ends->ends[ends->n_ends++]))
			fault = "dbtop --peers names a process that it never described";
	arena_free(scratch);
	if (!fault) {
		merge_pages(&merging);
		return ends;
	}
	host_ends_unref(ends);
	*ret_error = fault;
	return NULL;
}
