/* The leaks of one assessment are matched with those of the one before by the session's identity.
 */
#include "action/leak_times.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/findings.h"

struct leak_times {
	struct leak_times_callbacks callbacks;
	struct leak_time *items;
	size_t count;
	int64_t asked_at; /* monotonic: when the latest rows were asked for; INSTANT_UNKNOWN: none
			   */
};

struct leak_times *leak_times_new(const struct leak_times_callbacks *callbacks)
{
	struct leak_times *times = mem_alloc(sizeof(*times));
	times->callbacks = *callbacks;
	times->asked_at = INSTANT_UNKNOWN;
	return times;
}

void leak_times_free(struct leak_times *times)
{
	if (!times)
		return;
	free(times->items);
	free(times);
}

/* All times begin anew. */
static void clear(struct leak_times *times)
{
	free(times->items);
	times->items = NULL;
	times->count = 0;
	times->asked_at = INSTANT_UNKNOWN;
}

/* What `protect` names is never leaked, even if its client is gone. */
static bool is_spared(const struct connection *connection)
{
	return connection->end == CLIENT_END_GONE &&
		(connection->verdict.protection == PROTECTION_APPLICATION ||
			connection->verdict.protection == PROTECTION_USER);
}

static bool is_leak(const struct connection *connection)
{
	return connection->in_scope &&
		(connection->verdict.status == STATUS_LEAKED || is_spared(connection));
}

static uint64_t key(int32_t pid, int64_t start)
{
	return map_mix((uint64_t)pid, (uint64_t)start);
}

/* The session's leak in the assessment before, with the same reason and without a sign of life
 * since; NULL. */
static const struct leak_time *find_before(const struct leak_times *times, const struct map *before,
	const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	uint32_t i = map_get(before, key(backend->pid, backend->start));
	if (i == MAP_NONE)
		return NULL;
	const struct leak_time *leak = &times->items[i];
	/* the key is a hash */
	bool is_same = leak->pid == backend->pid && leak->backend_start == backend->start;
	bool goes_on = leak->reason == connection->verdict.reason &&
		leak->state_change == backend->state_change;
	return is_same && goes_on ? leak : NULL;
}

static struct leak_time make_leak(const struct leak_time *before,
	const struct connection *connection, const struct assessment *assessment)
{
	struct leak_time leak = before ? *before : (struct leak_time){ 0 };
	int64_t asked_at = assessment->activity->asked_monotonic;
	leak.pid = connection->backend->pid;
	leak.backend_start = connection->backend->start;
	leak.state_change = connection->backend->state_change;
	leak.reason = connection->verdict.reason;
	leak.certainty = connection->verdict.certainty;
	leak.connection = connection;
	for (int i = 0; i < CERTAINTY_COUNT; i++) {
		bool goes_on = before && i <= (int)before->certainty;
		if (!goes_on)
			leak.since[i] = assessment->monotonic;
		bool counts = i <= (int)leak.certainty && asked_at > leak.since[i];
		leak.lasted[i] = counts ? asked_at - leak.since[i] : 0;
	}
	return leak;
}

static const struct connection *find_session(
	const struct assessment *assessment, const struct leak_time *leak)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct backend *backend = assessment->connections[i].backend;
		if (backend->pid == leak->pid && backend->start == leak->backend_start)
			return &assessment->connections[i];
	}
	return NULL;
}

static void report_lost(
	const struct leak_times *times, const bool *kept, const struct assessment *assessment)
{
	for (size_t i = 0; i < times->count && times->callbacks.lost; i++)
		if (!kept[i])
			times->callbacks.lost(times->callbacks.data, &times->items[i],
				find_session(assessment, &times->items[i]));
}

static void replace(struct leak_times *times, const struct assessment *assessment)
{
	struct arena *arena = arena_new();
	struct map *before = map_new(arena, times->count);
	for (size_t i = 0; i < times->count; i++)
		map_set(before, key(times->items[i].pid, times->items[i].backend_start),
			(uint32_t)i);
	bool *kept = arena_array(arena, times->count + 1, sizeof(*kept));
	struct leak_time *items = NULL;
	size_t count = 0, room = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (!is_leak(connection))
			continue;
		const struct leak_time *same = find_before(times, before, connection);
		items = mem_grow(items, count, &room, sizeof(*items));
		items[count++] = make_leak(same, connection, assessment);
		if (same)
			kept[same - times->items] = true;
	}
	report_lost(times, kept, assessment);
	free(times->items);
	times->items = items;
	times->count = count;
	arena_free(arena);
}

bool leak_times_update(struct leak_times *times, const struct assessment *assessment, int64_t gap)
{
	if (findings_has_no_rows(assessment)) {
		clear(times);
		return false;
	}
	int64_t asked_at = assessment->activity->asked_monotonic;
	if (times->asked_at != INSTANT_UNKNOWN && asked_at - times->asked_at > gap)
		clear(times);
	times->asked_at = asked_at;
	replace(times, assessment);
	return true;
}

size_t leak_times_count(const struct leak_times *times)
{
	return times->count;
}

struct leak_time *leak_times_get(struct leak_times *times, size_t i)
{
	return &times->items[i];
}
