/* Counts by 5 seconds each, in the processes of the assessment. */
#include "analyze/openings.h"

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/activity.h"
#include "model/assessment.h"

#define EACH (5 * USEC_PER_SEC)

static uint64_t process_key(const struct process *process)
{
	uint64_t key = map_mix((uint64_t)process->pid, process->start_ticks);
	for (const char *c = process->host; c && *c; c++)
		key = map_mix(key, (unsigned char)*c);
	return key;
}

static uint64_t session_key(const struct backend *backend)
{
	return map_mix((uint64_t)backend->pid, (uint64_t)backend->start);
}

/* The counts of before, moved to where they are now. */
static struct openings moved(const struct openings *before, int64_t number)
{
	struct openings now = { .number = number };
	int64_t steps = number - before->number;
	for (int64_t i = 0; steps >= 0 && i + steps < OPENINGS_PARTS; i++)
		now.counts[i + steps] = before->counts[i];
	return now;
}

static void take_over(struct assessment *assessment, const struct assessment *previous)
{
	int64_t number = assessment->monotonic / EACH;
	struct arena *arena = arena_new();
	struct map *before = map_new(arena, previous ? previous->n_processes : 0);
	for (size_t i = 0; previous && i < previous->n_processes; i++)
		map_set(before, process_key(&previous->processes[i].process), (uint32_t)i);
	for (size_t i = 0; i < assessment->n_processes; i++) {
		struct client_process *client = &assessment->processes[i];
		uint32_t at = map_get(before, process_key(&client->process));
		client->openings = at == MAP_NONE
			? (struct openings){ .number = number }
			: moved(&previous->processes[at].openings, number);
	}
	arena_free(arena);
}

/* The sessions whose process was known before: these are counted already. */
static struct map *index_counted(const struct assessment *previous, struct arena *arena)
{
	struct map *counted = map_new(arena, previous ? previous->n_connections : 0);
	for (size_t i = 0; previous && i < previous->n_connections; i++)
		if (previous->connections[i].process != NO_PROCESS)
			map_set(counted, session_key(previous->connections[i].backend), 0);
	return counted;
}

void openings_count(struct assessment *assessment, const struct assessment *previous)
{
	take_over(assessment, previous);
	struct arena *arena = arena_new();
	const struct map *counted = NULL; /* made for the first young session */
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		const struct backend *backend = connection->backend;
		int64_t age = instant_elapsed(backend->start, assessment->server_now);
		if (connection->process == NO_PROCESS || backend->start == INSTANT_UNKNOWN ||
			age < 0 || age >= OPENINGS_PARTS * EACH)
			continue;
		if (!counted)
			counted = index_counted(previous, arena);
		if (map_get(counted, session_key(backend)) != MAP_NONE)
			continue;
		assessment->processes[connection->process].openings.counts[age / EACH]++;
	}
	arena_free(arena);
}
