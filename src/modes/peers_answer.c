#include "modes/peers_answer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/held_ends.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/peers.h"
#include "model/pool.h"
#include "proc/procfs.h"

/* Smaller changes are not sent. */
#define CPU_STEP 0.5
#define RSS_STEP (INT64_C(1) << 20)

/* The bytes of all command lines of an answer. */
#define COMMANDS_SIZE ((size_t)1 << 20)

/* A process that was named in an answer, by its number. */
struct known_process {
	struct arena *arena;
	struct process process;
	uint32_t id;
	bool is_sent;
};

/* What was said of an end. */
struct said {
	bool is_said;
	enum host_end_state state;
	uint32_t process; /* its number; 0: none */
	int shared_by;
};

/* A stats page that was described in an answer. */
struct sent_page {
	uint32_t id;
	int32_t pid;
	uint64_t start_ticks;
	char *path;
	uint64_t digest;
	bool is_used;
};

struct peers_answer {
	struct procfs *procfs;
	struct held_end *ends;
	struct said *said; /* of each end */
	size_t n_ends;
	struct known_process *known;
	size_t n_known, room;
	struct sent_page *sent;
	size_t n_sent, sent_room;
	uint32_t last_id; /* of a process or a page */
	struct endpoint own;
	uint64_t number;
	uint32_t target;
	bool is_new; /* ends were added since the last scan */
	struct arena *interfaces_arena;
	struct endpoint *interfaces; /* as they were sent */
	size_t n_interfaces;
};

struct peers_answer *peers_answer_new(struct procfs *procfs)
{
	struct peers_answer *state = mem_alloc(sizeof(*state));
	state->procfs = procfs;
	state->interfaces_arena = arena_new();
	return state;
}

static void forget_pages(struct peers_answer *state)
{
	for (size_t i = 0; i < state->n_sent; i++)
		free(state->sent[i].path);
	state->n_sent = 0;
}

static void forget(struct peers_answer *state)
{
	forget_pages(state);
	for (size_t i = 0; i < state->n_known; i++)
		arena_free(state->known[i].arena);
	state->n_known = state->n_ends = 0;
	state->interfaces = NULL;
	state->n_interfaces = 0;
	arena_reset(state->interfaces_arena);
}

void peers_answer_free(struct peers_answer *state)
{
	if (!state)
		return;
	forget(state);
	arena_free(state->interfaces_arena);
	free(state->known);
	free(state->sent);
	free(state->ends);
	free(state->said);
	free(state);
}

static struct map *index_ends(struct arena *arena, const struct asked_end *ends, size_t count)
{
	struct map *map = map_new(arena, count);
	for (size_t i = 0; i < count; i++)
		map_set(map, asked_end_key(&ends[i]), (uint32_t)i);
	return map;
}

static void drop(struct peers_answer *state, const struct host_question *question)
{
	struct arena *arena = arena_new();
	const struct map *dropped = index_ends(arena, question->drop, question->n_drop);
	size_t kept = 0;
	for (size_t i = 0; i < state->n_ends; i++) {
		uint32_t at = map_get(dropped, asked_end_key(&state->ends[i].end));
		if (at != MAP_NONE && asked_end_equal(&question->drop[at], &state->ends[i].end))
			continue;
		state->ends[kept] = state->ends[i];
		state->said[kept++] = state->said[i];
	}
	state->n_ends = kept;
	arena_free(arena);
}

bool peers_answer_take(struct peers_answer *state, const struct host_question *question)
{
	if (question->is_first)
		forget(state);
	drop(state, question);
	size_t count = state->n_ends + question->n_add;
	if (count > HOST_ENDS_MOST)
		return false;
	state->ends = mem_resize(state->ends, count + 1, sizeof(*state->ends));
	state->said = mem_resize(state->said, count + 1, sizeof(*state->said));
	for (size_t i = 0; i < question->n_add; i++, state->n_ends++) {
		state->ends[state->n_ends] = (struct held_end){ .end = question->add[i] };
		state->said[state->n_ends] = (struct said){ .is_said = false };
	}
	state->is_new |= question->n_add > 0;
	state->own = question->own;
	state->number = question->number;
	state->target = question->target;
	return true;
}

bool peers_answer_wants_search(const struct peers_answer *state)
{
	if (state->is_new)
		return true;
	for (size_t i = 0; i < state->n_ends; i++)
		if (state->ends[i].was_found && state->ends[i].state != HOST_END_HELD)
			return true;
	return false;
}

/* The number of the process, which is new or known. */
static uint32_t number_of(struct peers_answer *state, const struct process *process)
{
	struct known_process *known = NULL;
	for (size_t i = 0; !known && i < state->n_known; i++)
		if (state->known[i].process.pid == process->pid &&
			state->known[i].process.start_ticks == process->start_ticks)
			known = &state->known[i];
	if (!known) {
		state->known =
			mem_grow(state->known, state->n_known, &state->room, sizeof(*state->known));
		known = &state->known[state->n_known++];
		*known = (struct known_process){ .arena = arena_new(), .id = ++state->last_id };
		known->process = process_copy(known->arena, process);
	}
	bool has_moved = fabs(known->process.cpu_percent - process->cpu_percent) > CPU_STEP ||
		isnan(known->process.cpu_percent) != isnan(process->cpu_percent) ||
		llabs(known->process.rss_bytes - process->rss_bytes) > RSS_STEP;
	if (has_moved) {
		known->process.cpu_percent = process->cpu_percent;
		known->process.rss_bytes = process->rss_bytes;
		known->is_sent = false;
	}
	return known->id;
}

/* Forgets the processes that no end names any more. */
static void mark_used(struct peers_answer *state)
{
	struct arena *arena = arena_new();
	struct map *used = map_new(arena, state->n_ends);
	size_t kept = 0;
	for (size_t i = 0; i < state->n_ends; i++)
		if (state->said[i].process)
			map_set(used, state->said[i].process, 1);
	for (size_t i = 0; i < state->n_known; i++) {
		if (map_get(used, state->known[i].id) == MAP_NONE)
			arena_free(state->known[i].arena);
		else
			state->known[kept++] = state->known[i];
	}
	state->n_known = kept;
	arena_free(arena);
}

static void note_ended(const struct peers_answer *state, struct known_process *known)
{
	struct procfs_stat stat;
	if (known->process.ended_at != INSTANT_UNKNOWN)
		return;
	int r = procfs_stat(state->procfs, known->process.pid, &stat);
	if (r == -ESRCH || (r == 0 && stat.start_ticks != known->process.start_ticks)) {
		known->process.ended_at = instant_now();
		known->is_sent = false;
	}
}

static void list_changes(struct peers_answer *state, const struct peers *peers, struct arena *arena,
	struct host_answer *answer)
{
	answer->changes = arena_array(arena, state->n_ends, sizeof(*answer->changes));
	for (size_t i = 0; i < state->n_ends; i++) {
		const struct held_end *end = &state->ends[i];
		struct said now = { true, end->state, state->said[i].process, end->shared_by };
		if (end->state == HOST_END_HELD)
			now.process = number_of(state, &peers->processes[end->process]);
		const struct said *before = &state->said[i];
		if (before->is_said && before->state == now.state &&
			before->process == now.process && before->shared_by == now.shared_by)
			continue;
		state->said[i] = now;
		answer->changes[answer->n_changes++] =
			(struct host_change){ end->end, now.state, now.process, now.shared_by };
	}
}

/* Each gets an equal share of what an answer may have of command lines: else the processes of one
 * user could make it too long. A character is not cut. */
static void cut_commands(struct arena *arena, struct host_answer *answer)
{
	size_t share = COMMANDS_SIZE / (answer->n_processes + 1);
	for (size_t i = 0; i < answer->n_processes; i++) {
		struct process *process = &answer->processes[i].process;
		if (!process->command || strlen(process->command) <= share)
			continue;
		size_t length = share;
		while (length > 0 && (process->command[length] & 0xc0) == 0x80)
			length--;
		process->command = arena_strndup(arena, process->command, length);
	}
}

static void list_processes(
	struct peers_answer *state, struct arena *arena, struct host_answer *answer)
{
	mark_used(state);
	answer->processes = arena_array(arena, state->n_known, sizeof(*answer->processes));
	for (size_t i = 0; i < state->n_known; i++) {
		struct known_process *known = &state->known[i];
		note_ended(state, known);
		if (known->is_sent)
			continue;
		known->is_sent = true;
		answer->processes[answer->n_processes++] =
			(struct host_process){ known->id, known->process };
	}
	cut_commands(arena, answer);
}

static size_t add_addresses(
	struct endpoint *list, size_t count, const struct endpoint *from, size_t n_from)
{
	for (size_t i = 0; i < n_from && count < HOST_INTERFACES_MOST; i++) {
		struct endpoint address = from[i];
		address.port = 0;
		if (!endpoint_is_loopback(&address))
			list[count++] = address;
	}
	return count;
}

static void list_interfaces(struct peers_answer *state, const struct peers *peers,
	struct arena *arena, struct host_answer *answer)
{
	struct endpoint *list = arena_array(arena, HOST_INTERFACES_MOST, sizeof(*list));
	size_t count = add_addresses(list, 0, peers->local_addresses, peers->n_local_addresses);
	for (size_t i = 0; i < peers->n_networks; i++)
		count = add_addresses(
			list, count, peers->networks[i].addresses, peers->networks[i].n_addresses);
	bool is_same = state->interfaces && count == state->n_interfaces;
	for (size_t i = 0; is_same && i < count; i++)
		is_same = endpoint_same_address(&list[i], &state->interfaces[i]);
	if (is_same)
		return;
	arena_reset(state->interfaces_arena);
	state->interfaces = arena_array(state->interfaces_arena, count + 1, sizeof(*list));
	memcpy(state->interfaces, list, count * sizeof(*list));
	state->n_interfaces = count;
	answer->has_interfaces = true;
	answer->interfaces = state->interfaces;
	answer->n_interfaces = count;
}

/* --- stats pages --- */

static bool holds_an_end(const struct peers_answer *state, const struct pool_page *page)
{
	for (size_t i = 0; i < state->n_known; i++)
		if (state->known[i].process.ended_at == INSTANT_UNKNOWN &&
			pool_page_is_of(page, &state->known[i].process))
			return true;
	return false;
}

static struct sent_page *find_sent(struct peers_answer *state, const struct pool_page *page)
{
	for (size_t i = 0; i < state->n_sent; i++) {
		struct sent_page *sent = &state->sent[i];
		if (sent->pid == page->pid && sent->start_ticks == page->start_ticks &&
			strcmp(sent->path, page->path) == 0)
			return sent;
	}
	state->sent = mem_grow(state->sent, state->n_sent, &state->sent_room, sizeof(*state->sent));
	struct sent_page *sent = &state->sent[state->n_sent++];
	*sent = (struct sent_page){ .id = ++state->last_id,
		.pid = page->pid,
		.start_ticks = page->start_ticks,
		.path = mem_strdup(page->path) };
	return sent;
}

/* A page that does not fit into the answer stays as it was sent last; one that was never sent is
 * left out. */
static void add_page(struct peers_answer *state, const struct pool_page *page, size_t *room,
	struct host_answer *answer)
{
	size_t size;
	struct sent_page *sent = find_sent(state, page);
	uint64_t digest = host_page_digest(page, &size);
	bool is_same = sent->digest && sent->digest == digest, fits = is_same || size <= *room;
	sent->is_used = sent->digest || fits;
	answer->pages.left_out |= !fits;
	if (!sent->is_used)
		return;
	answer->pages.items[answer->pages.count++] =
		(struct host_page){ sent->id, is_same || !fits, *page };
	if (is_same || !fits)
		return;
	*room -= size;
	sent->digest = digest;
}

static void forget_unused_pages(struct peers_answer *state)
{
	size_t kept = 0;
	for (size_t i = 0; i < state->n_sent; i++) {
		if (state->sent[i].is_used)
			state->sent[kept++] = state->sent[i];
		else
			free(state->sent[i].path);
	}
	state->n_sent = kept;
}

static void list_pages(struct peers_answer *state, const struct pool_pages *pages,
	struct arena *arena, struct host_answer *answer)
{
	size_t room = HOST_PAGES_SIZE;
	answer->pages.items = arena_array(arena, HOST_PAGES_MOST, sizeof(*answer->pages.items));
	for (size_t i = 0; i < state->n_sent; i++)
		state->sent[i].is_used = false;
	for (size_t i = 0; i < pages->count; i++) {
		const struct pool_page *page = &pages->items[i];
		if (page->status != POOL_PAGE_LIVE || !holds_an_end(state, page))
			continue;
		if (answer->pages.count < HOST_PAGES_MOST)
			add_page(state, page, &room, answer);
		else
			answer->pages.left_out = true;
	}
	forget_unused_pages(state);
}

bool peers_answer_has_ends(const struct peers_answer *state)
{
	return state->n_ends > 0;
}

struct host_answer peers_answer_make(struct peers_answer *state, const struct peers *peers,
	const struct pool_pages *pages, struct arena *arena)
{
	const struct held_server server = held_ends_server(peers, &state->own);
	struct host_answer answer = {
		.number = state->number,
		.target = state->target,
		.server_pid = server.pid,
		.server_started_at = server.process ? server.process->started_at : INSTANT_UNKNOWN,
	};
	state->is_new = false;
	held_ends_update(peers, &server, state->ends, state->n_ends);
	list_changes(state, peers, arena, &answer);
	list_processes(state, arena, &answer);
	list_interfaces(state, peers, arena, &answer);
	if (pages)
		list_pages(state, pages, arena, &answer);
	return answer;
}
