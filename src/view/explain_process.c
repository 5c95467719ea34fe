#include "view/explain_process.h"

#include <math.h>

#include "base/arena.h"
#include "model/assessment.h"
#include "model/pool.h"

const char *explain_process_usage(struct arena *arena, const struct client_process *client)
{
	const struct process *process = &client->process;
	if (!client->alive)
		return NULL;
	const char *cpu = isnan(process->cpu_percent)
		? NULL
		: arena_printf(arena, "cpu %.1f%%", process->cpu_percent);
	if (process->rss_bytes < 0)
		return cpu;
	return arena_printf(arena, "%s%smemory %.1f MB", cpu ? cpu : "", cpu ? " · " : "",
		(double)process->rss_bytes / (1 << 20));
}

/* What /proc calls the states of a process. */
static const char *state_words(char state)
{
	switch (state) {
	case 'R': return "runs";
	case 'S': return "sleeps";
	case 'D': return "waits in the kernel, where no signal reaches it";
	case 'T': return "is stopped";
	case 't': return "is stopped by a debugger";
	case 'Z':
	case 'X': return "has ended";
	case 'I': return "is idle";
	default: return NULL;
	}
}

const char *explain_process_state(struct arena *arena, const struct client_process *client,
	const struct pool_slot *slot, bool *ret_caution)
{
	const struct process *process = &client->process;
	const char *words = client->alive ? state_words(process->state) : NULL;
	if (!words)
		return NULL;
	if (process->state == 'D' || process->state == 'T' || process->state == 't')
		*ret_caution = true;
	if (*process->wait_channel)
		words = arena_printf(arena, "%s in %s", words, process->wait_channel);
	return slot && slot->state == POOL_SLOT_IN_USE && slot->thread
		? arena_printf(
			  arena, "%s · its thread %d borrowed the connection", words, slot->thread)
		: words;
}
