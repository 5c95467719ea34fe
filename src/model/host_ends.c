/* Memory of the block, and comparing ends. */
#include "model/host_ends.h"

#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

struct host_ends *host_ends_new(void)
{
	struct arena *arena = arena_new();
	struct host_ends *ends = arena_alloc(arena, sizeof(*ends));
	*ends = (struct host_ends){
		.arena = arena,
		.refs = 1,
		.asked_at = INSTANT_UNKNOWN,
		.answered_at = INSTANT_UNKNOWN,
		.taken_at = INSTANT_UNKNOWN,
		.server_started_at = INSTANT_UNKNOWN,
	};
	return ends;
}

struct host_ends *host_ends_ref(const struct host_ends *ends)
{
	struct host_ends *shared = (struct host_ends *)ends;
	shared->refs++;
	return shared;
}

void host_ends_unref(const struct host_ends *ends)
{
	struct host_ends *shared = (struct host_ends *)ends;
	if (shared && --shared->refs == 0)
		arena_free(shared->arena);
}

uint64_t asked_end_key(const struct asked_end *end)
{
	return map_mix(endpoint_key(&end->client), (uint64_t)end->backend);
}

bool asked_end_equal(const struct asked_end *a, const struct asked_end *b)
{
	return a->backend == b->backend && endpoint_equal(&a->client, &b->client);
}

const char *host_end_state_name(enum host_end_state state)
{
	static const char *const names[] = {
		[HOST_END_UNKNOWN] = "unknown",
		[HOST_END_HELD] = "held",
		[HOST_END_HIDDEN] = "hidden",
		[HOST_END_NONE] = "none",
	};
	return names[state];
}
