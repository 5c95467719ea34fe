#include "model/session_ends.h"

#include <string.h>

#include "base/arena.h"

struct session_ends *session_ends_new(void)
{
	struct arena *arena = arena_new();
	struct session_ends *ends = arena_alloc(arena, sizeof(*ends));
	ends->arena = arena;
	ends->refs = 1;
	return ends;
}

struct session_ends *session_ends_ref(const struct session_ends *ends)
{
	struct session_ends *shared = (struct session_ends *)ends;
	shared->refs++;
	return shared;
}

void session_ends_unref(const struct session_ends *ends)
{
	struct session_ends *shared = (struct session_ends *)ends;
	if (shared && --shared->refs == 0)
		arena_free(shared->arena);
}

const struct database_ends *session_ends_find(const struct session_ends *ends, const char *database)
{
	for (size_t i = 0; ends && database && i < ends->count; i++)
		if (strcmp(ends->items[i].database, database) == 0)
			return &ends->items[i];
	return NULL;
}
