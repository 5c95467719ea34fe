/* The words of the results. */
#include "model/clearing.h"

#include "base/arena.h"

void clearing_free(struct clearing *clearing)
{
	if (clearing)
		arena_free(clearing->arena);
}

const char *clearing_result_name(enum clearing_result result)
{
	static const char *const names[] = {
		[CLEARING_PENDING] = "pending",
		[CLEARING_CLEARED] = "cleared",
		[CLEARING_GONE] = "gone",
		[CLEARING_CHANGED] = "changed",
		[CLEARING_DENIED] = "denied",
	};
	return names[result];
}
