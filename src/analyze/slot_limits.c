/* Counts as PostgreSQL does: each client and each walsender of the role, or of the database. */
#include "analyze/slot_limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "model/assessment.h"

struct counting {
	struct assessment *assessment;
	struct map *by_name; /* hash of kind and name → index of the first with this hash */
	/* of each kind: most sessions have the same role and database as the one before */
	struct slot_limit *last[SLOT_LIMIT_DATABASE + 1];
};

static uint64_t hash(enum slot_limit_kind kind, const char *name)
{
	uint64_t key = map_mix((uint64_t)kind, strlen(name));
	for (; *name; name++)
		key = map_mix(key, (unsigned char)*name);
	return key;
}

static struct slot_limit *limit_of(
	struct counting *counting, enum slot_limit_kind kind, const char *name, int limit)
{
	struct assessment *assessment = counting->assessment;
	struct slot_limit *last = counting->last[kind];
	if (last && (last->name == name || strcmp(last->name, name) == 0))
		return last;
	uint64_t key = hash(kind, name);
	uint32_t index = map_get(counting->by_name, key);
	if (index == MAP_NONE) {
		index = (uint32_t)assessment->n_slot_limits++;
		assessment->slot_limits[index] = (struct slot_limit){
			.kind = kind,
			.name = name,
			.limit = limit,
		};
		map_set(counting->by_name, key, index);
	}
	return counting->last[kind] = &assessment->slot_limits[index];
}

static void count(struct counting *counting, enum slot_limit_kind kind, const char *name, int limit,
	bool is_hidden)
{
	if (!name)
		return;
	struct slot_limit *row = limit_of(counting, kind, name, limit);
	row->used_at_most++;
	/* it may be a worker, which does not count */
	if (is_hidden)
		row->used = -1;
	else if (row->used >= 0)
		row->used++;
}

/* The tightest first; then those without a limit, by their sessions. */
static int compare(const void *a, const void *b)
{
	const struct slot_limit *x = a, *y = b;
	int left_x = slot_limit_left(x), left_y = slot_limit_left(y);
	if ((x->limit < 0) != (y->limit < 0))
		return x->limit < 0 ? 1 : -1;
	if (x->limit >= 0 && left_x != left_y)
		return left_x < left_y ? -1 : 1;
	if (x->used_at_most != y->used_at_most)
		return x->used_at_most > y->used_at_most ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

void slot_limits_count(struct assessment *assessment)
{
	const struct activity *activity = assessment->activity;
	if (!activity->limits_known)
		return;
	struct counting counting = {
		.assessment = assessment,
		.by_name = map_new(assessment->arena, 16),
	};
	assessment->slot_limits = arena_array(
		assessment->arena, 2 * activity->n_backends + 1, sizeof(*assessment->slot_limits));
	for (size_t i = 0; i < activity->n_backends; i++) {
		const struct backend *backend = &activity->backends[i];
		bool is_hidden = backend->kind == BACKEND_HIDDEN;
		if (backend->kind == BACKEND_OTHER)
			continue;
		count(&counting, SLOT_LIMIT_ROLE, backend->user, backend->role_limit, is_hidden);
		count(&counting, SLOT_LIMIT_DATABASE, backend->database, backend->database_limit,
			is_hidden);
	}
	if (assessment->n_slot_limits)
		qsort(assessment->slot_limits, assessment->n_slot_limits,
			sizeof(*assessment->slot_limits), compare);
}
