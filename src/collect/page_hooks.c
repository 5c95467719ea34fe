#include "collect/page_hooks.h"

#include <stdio.h>

#include "page/reader.h"

size_t page_hooks_read(
	const struct page_copy *copy, struct pool_hook ret_hooks[static POOL_HOOKS_MAX])
{
	static const enum pool_hook_phase phases[PAGE_HOOK_PHASES] = {
		[PAGE_HOOK_STOP] = POOL_HOOK_STOP,
		[PAGE_HOOK_FLUSH] = POOL_HOOK_FLUSH,
		[PAGE_HOOK_CLOSED] = POOL_HOOK_CLOSED,
	};
	static const enum pool_hook_state states[PAGE_HOOK_STATES] = {
		[PAGE_HOOK_WAITING] = POOL_HOOK_WAITING,
		[PAGE_HOOK_RUNNING] = POOL_HOOK_RUNNING,
		[PAGE_HOOK_DONE] = POOL_HOOK_DONE,
		[PAGE_HOOK_FAILED] = POOL_HOOK_FAILED,
		[PAGE_HOOK_LATE] = POOL_HOOK_LATE,
	};
	_Static_assert(POOL_HOOKS_MAX == PAGE_HOOKS_MAX, "hooks");
	for (size_t i = 0; i < copy->n_hooks; i++) {
		const struct page_hook_copy *hook = &copy->hooks[i];
		struct pool_hook *to = &ret_hooks[i];
		*to = (struct pool_hook){
			.phase = phases[hook->phase],
			.state = states[hook->state],
			.result = hook->result,
			.duration = hook->state >= PAGE_HOOK_DONE ? hook->duration : -1,
		};
		snprintf(to->name, sizeof(to->name), "%s", hook->name);
	}
	return copy->n_hooks;
}
