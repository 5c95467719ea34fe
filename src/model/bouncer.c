/* Memory of the block, and the words of pool_mode. */
#include "model/bouncer.h"

#include <string.h>

#include "base/arena.h"
#include "base/instant.h"

struct bouncer *bouncer_new(void)
{
	struct arena *arena = arena_new();
	struct bouncer *bouncer = arena_alloc(arena, sizeof(*bouncer));
	*bouncer = (struct bouncer){
		.arena = arena,
		.refs = 1,
		.uid = UINT32_MAX,
		.asked_at = INSTANT_UNKNOWN,
		.servers_at = INSTANT_UNKNOWN,
		.taken_at = INSTANT_UNKNOWN,
		.used_clients = -1,
		.login_clients = -1,
		.used_servers = -1,
	};
	return bouncer;
}

struct bouncer *bouncer_ref(const struct bouncer *bouncer)
{
	struct bouncer *shared = (struct bouncer *)bouncer;
	shared->refs++;
	return shared;
}

void bouncer_unref(const struct bouncer *bouncer)
{
	struct bouncer *shared = (struct bouncer *)bouncer;
	if (shared && --shared->refs == 0)
		arena_free(shared->arena);
}

enum pool_mode pool_mode_parse(const char *word)
{
	static const char *const words[] = {
		[POOL_MODE_SESSION] = "session",
		[POOL_MODE_TRANSACTION] = "transaction",
		[POOL_MODE_STATEMENT] = "statement",
	};
	for (size_t i = POOL_MODE_SESSION; word && i <= POOL_MODE_STATEMENT; i++)
		if (strcmp(words[i], word) == 0)
			return (enum pool_mode)i;
	return POOL_MODE_UNKNOWN;
}
