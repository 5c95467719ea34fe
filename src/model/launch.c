/* What may be started and stopped, and its words. */
#include "model/launch.h"

#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/proxy.h"

static const char *const kind_names[] = {
	[LAUNCH_START] = "proxy_start",
	[LAUNCH_RESTART] = "proxy_restart",
};

static const char *const result_names[] = {
	[LAUNCH_PENDING] = "pending",
	[LAUNCH_STARTED] = "started",
	[LAUNCH_FAILED] = "failed",
	[LAUNCH_SURVIVED] = "survived",
	[LAUNCH_CHANGED] = "changed",
	[LAUNCH_DENIED] = "denied",
};

static const char *refuse_start(const struct proxy *proxy)
{
	switch (proxy->status) {
	case PROXY_ABSENT: return NULL;
	case PROXY_FOREIGN: return "another program has its port";
	default: return "it runs already";
	}
}

static const char *refuse_restart(const struct proxy *proxy)
{
	if (proxy->status == PROXY_ABSENT)
		return "it does not run; s starts it";
	if (proxy->status == PROXY_FOREIGN)
		return "another program has its port, and is left alone";
	if (!proxy->process.pid || !proxy->executable)
		return "its process is not ours to see, and so not ours to stop";
	if (proxy->process.uid != proxy->our_uid)
		return "it is another user's process, and is left alone";
	return NULL;
}

const char *launch_refusal(enum launch_kind kind, const struct proxy *proxy, size_t n_argv)
{
	if (!proxy)
		return "no proxy is watched";
	if (!n_argv)
		return "there is no command for it: proxy.start in the configuration";
	return kind == LAUNCH_START ? refuse_start(proxy) : refuse_restart(proxy);
}

/* For display only: an argument that needs quotes is in quotes. */
static const char *command_of(struct arena *arena, const char *const *argv, size_t n_argv)
{
	const char *command = "";
	for (size_t i = 0; i < n_argv; i++) {
		const char *word = text_clean(arena, argv[i], strlen(argv[i]), TEXT_LINE);
		const char *quote = *word && !strpbrk(word, " \"'\\$") ? "" : "'";
		command = arena_printf(
			arena, "%s%s%s%s%s", command, i ? " " : "", quote, word, quote);
	}
	return command;
}

static uint32_t count_clients(const struct proxy *proxy)
{
	return proxy->peers ? (uint32_t)proxy->peers->n_tcp : 0;
}

struct launch *launch_new(enum launch_kind kind, const struct proxy *proxy, const char *const *argv,
	size_t n_argv, const char *output)
{
	struct arena *arena = arena_new();
	struct launch *launch = arena_alloc(arena, sizeof(*launch));
	const char **copy = arena_array(arena, n_argv + 1, sizeof(*copy));
	for (size_t i = 0; i < n_argv; i++)
		copy[i] = arena_strdup(arena, argv[i]);
	*launch = (struct launch){
		.arena = arena,
		.kind = kind,
		.argv = copy,
		.command = command_of(arena, argv, n_argv),
		.output = arena_strdup(arena, output),
	};
	if (kind == LAUNCH_RESTART) {
		launch->old_pid = proxy->process.pid;
		launch->old_start_ticks = proxy->process.start_ticks;
		launch->old_name = arena_strdup(arena, proxy->process.name);
		launch->old_executable = arena_strdup(arena, proxy->executable);
		launch->old_unit = arena_strdup(arena, proxy->process.unit);
		launch->clients = count_clients(proxy);
	}
	return launch;
}

void launch_free(struct launch *launch)
{
	if (launch)
		arena_free(launch->arena);
}

const char *launch_kind_name(enum launch_kind kind)
{
	return kind_names[kind];
}

const char *launch_result_name(enum launch_result result)
{
	return result_names[result];
}
