/* Memory of the block, and its words. */
#include "model/proxy.h"

#include <string.h>

#include "base/arena.h"
#include "base/instant.h"

static const char *const status_names[] = {
	[PROXY_UNKNOWN] = "unknown",
	[PROXY_ABSENT] = "absent",
	[PROXY_FOREIGN] = "foreign",
	[PROXY_LISTENING] = "listening",
	[PROXY_SERVING] = "serving",
};

static const char *const health_phrases[] = {
	[PROXY_HEALTH_NOT_ASKED] = "not asked",
	[PROXY_HEALTH_OFF] = "health endpoint off",
	[PROXY_HEALTH_OK] = "ok",
	[PROXY_HEALTH_NOT_STARTED] = "not started",
	[PROXY_HEALTH_STOPPED] = "stopped",
	[PROXY_HEALTH_FULL] = "its limit of connections is reached",
	[PROXY_HEALTH_FAILING] = "failing",
	[PROXY_HEALTH_STRANGE] = "not the proxy's health endpoint",
};

static const char *const probe_names[PROXY_PROBES] = { "startup", "liveness", "readiness" };

struct proxy *proxy_new(void)
{
	struct arena *arena = arena_new();
	struct proxy *proxy = arena_alloc(arena, sizeof(*proxy));
	*proxy = (struct proxy){
		.arena = arena,
		.refs = 1,
		.uid = UINT32_MAX,
		.latency = -1,
		.proven_at = INSTANT_UNKNOWN,
		.health_at = INSTANT_UNKNOWN,
	};
	for (size_t i = 0; i < PROXY_PROBES; i++)
		proxy->probes[i] = (struct proxy_probe){ .open = -1, .max = -1 };
	return proxy;
}

struct proxy *proxy_ref(const struct proxy *proxy)
{
	struct proxy *shared = (struct proxy *)proxy;
	shared->refs++;
	return shared;
}

void proxy_unref(const struct proxy *proxy)
{
	struct proxy *shared = (struct proxy *)proxy;
	if (!shared || --shared->refs > 0)
		return;
	peers_unref(shared->peers);
	arena_free(shared->arena);
}

bool proxy_is_shown(const struct proxy *proxy)
{
	return proxy && (proxy->expected || proxy->status >= PROXY_LISTENING);
}

static bool is_same(const struct process *a, const struct process *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

bool proxy_is_process(const struct proxy *proxy, const struct process *process)
{
	if (!proxy || proxy->status < PROXY_LISTENING || !proxy->process.pid)
		return false;
	if (is_same(&proxy->process, process))
		return true;
	size_t count = 0;
	const struct socket_owner *owners =
		proxy->peers ? peers_owners(proxy->peers, proxy->inode, &count) : NULL;
	for (size_t i = 0; owners && i < count; i++)
		if (is_same(&proxy->peers->processes[owners[i].process], process))
			return true;
	return proxy->process.uid == process->uid && proxy->process.name && process->name &&
		strcmp(proxy->process.name, process->name) == 0;
}

const char *proxy_status_name(enum proxy_status status)
{
	return status_names[status];
}

const char *proxy_health_phrase(enum proxy_health health)
{
	return health_phrases[health];
}

const char *proxy_probe_name(size_t probe)
{
	return probe_names[probe];
}
