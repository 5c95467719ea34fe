/* What may be started and stopped, and the steps for it. */
#include "action/proxy_plan.h"

#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/text.h"
#include "model/proxy.h"

/* How long the old process may take to end after SIGTERM. It is never killed. */
#define GRACE (10 * USEC_PER_SEC)

static const char unknown[] = "it is not known whether it runs";

static const char *refuse_start(const struct proxy *proxy)
{
	switch (proxy->status) {
	case PROXY_UNKNOWN: return unknown;
	case PROXY_ABSENT: return NULL;
	case PROXY_FOREIGN: return "another program has its port";
	default: return "it runs already";
	}
}

static const char *refuse_restart(const struct proxy *proxy)
{
	if (proxy->status == PROXY_UNKNOWN)
		return unknown;
	if (proxy->status == PROXY_ABSENT)
		return "it does not run; s starts it";
	if (proxy->status == PROXY_FOREIGN)
		return "another program has its port, and is left alone";
	if (!proxy->process.pid || !proxy->executable)
		return "dbtop cannot see its process, and so cannot stop it";
	if (proxy->process.uid != proxy->our_uid)
		return "it is another user's process, and is left alone";
	return NULL;
}

const char *proxy_plan_refusal(enum action_kind kind, const struct proxy *proxy, size_t n_argv)
{
	if (!proxy)
		return "no proxy is watched";
	if (!n_argv)
		return "there is no command for it: proxy.start in the configuration";
	return kind == ACTION_PROXY_START ? refuse_start(proxy) : refuse_restart(proxy);
}

const char *proxy_plan_command(struct arena *arena, const char *const *argv, size_t n_argv)
{
	const char *text = "";
	for (size_t i = 0; i < n_argv; i++) {
		const char *word = text_clean(arena, argv[i], strlen(argv[i]), TEXT_LINE);
		text = arena_printf(
			arena, "%s%s%s", text, i ? " " : "", text_shell_word(arena, word));
	}
	return text;
}

static void add_process(struct action *action, const struct proxy *proxy)
{
	struct arena *arena = action->arena;
	action->steps[action->n_steps++] = (struct action_step){
		.kind = STEP_PROCESS,
		.selected = true,
		.pid = proxy->process.pid,
		.process = {
			.start_ticks = proxy->process.start_ticks,
			.name = arena_strdup(arena, proxy->process.name),
			.unit = arena_strdup(arena, proxy->process.unit),
			.executable = arena_strdup(arena, proxy->executable),
			.connections = proxy->peers ? (uint32_t)proxy->peers->n_tcp : 0,
			.took = -1,
		},
	};
}

struct action *proxy_plan(enum action_kind kind, const struct proxy *proxy, const char *const *argv,
	size_t n_argv, const char *output)
{
	struct action *action = action_new(kind, 2);
	struct arena *arena = action->arena;
	const char **copy = arena_array(arena, n_argv + 1, sizeof(*copy));
	for (size_t i = 0; i < n_argv; i++)
		copy[i] = arena_strdup(arena, argv[i]);
	action->stop_way = STOP_NEVER_KILL;
	action->grace = GRACE;
	if (kind == ACTION_PROXY_RESTART)
		add_process(action, proxy);
	action->steps[action->n_steps++] = (struct action_step){
		.kind = STEP_COMMAND,
		.selected = true,
		.command = {
			.argv = copy,
			.text = proxy_plan_command(arena, argv, n_argv),
			.output = arena_strdup(arena, output),
		},
	};
	return action;
}
