/* Memory of the activity block, and PostgreSQL's words for states and kinds. */
#include "model/activity.h"

#include <string.h>

#include "base/arena.h"
#include "base/instant.h"

static const struct {
	const char *word;
	enum backend_state state;
} states[] = {
	{ "active", BACKEND_STATE_ACTIVE },
	{ "idle", BACKEND_STATE_IDLE },
	{ "idle in transaction", BACKEND_STATE_IN_TRANSACTION },
	{ "idle in transaction (aborted)", BACKEND_STATE_IN_ABORTED_TRANSACTION },
	{ "fastpath function call", BACKEND_STATE_FASTPATH },
	{ "starting", BACKEND_STATE_STARTING },
};

struct activity *activity_new(void)
{
	struct arena *arena = arena_new();
	struct activity *activity = arena_alloc(arena, sizeof(*activity));
	*activity = (struct activity){
		.arena = arena,
		.refs = 1,
		.asked_at = INSTANT_UNKNOWN,
		.taken_at = INSTANT_UNKNOWN,
	};
	return activity;
}

struct activity *activity_ref(const struct activity *activity)
{
	struct activity *shared = (struct activity *)activity;
	shared->refs++;
	return shared;
}

void activity_unref(const struct activity *activity)
{
	struct activity *shared = (struct activity *)activity;
	if (shared && --shared->refs == 0)
		arena_free(shared->arena);
}

enum backend_state backend_state_parse(const char *word)
{
	for (size_t i = 0; word && i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(word, states[i].word) == 0)
			return states[i].state;
	return BACKEND_STATE_UNKNOWN;
}

const char *backend_kind_name(enum backend_kind kind)
{
	static const char *const names[] = {
		[BACKEND_CLIENT] = "client",
		[BACKEND_WALSENDER] = "walsender",
		[BACKEND_OTHER] = "other",
		[BACKEND_HIDDEN] = "hidden",
	};
	return names[kind];
}

enum backend_kind backend_kind_parse(const char *backend_type)
{
	if (!backend_type)
		return BACKEND_HIDDEN;
	if (strcmp(backend_type, "client backend") == 0)
		return BACKEND_CLIENT;
	if (strcmp(backend_type, "walsender") == 0)
		return BACKEND_WALSENDER;
	return BACKEND_OTHER;
}
