/* The plan to start or restart the proxy. Pure. */
#ifndef ACTION_PROXY_PLAN_H
#define ACTION_PROXY_PLAN_H

#include <stddef.h>

#include "model/action.h"

struct arena;
struct proxy;

/* Why the proxy cannot be started or restarted: no command, another user's process, and so on; NULL
 * if it can be. proxy may be NULL, argv may be empty. */
const char *proxy_plan_refusal(enum action_kind kind, const struct proxy *proxy, size_t n_argv);

/* The command for display, in the arena: an argument that needs quotes is in quotes. */
const char *proxy_plan_command(struct arena *arena, const char *const *argv, size_t n_argv);

/* The steps: for ACTION_PROXY_RESTART the process that is stopped, then the command. Call it only
 * if proxy_plan_refusal() returned NULL. Copies what it needs; the caller frees it with
 * action_free(). `output` may be NULL. */
struct action *proxy_plan(enum action_kind kind, const struct proxy *proxy, const char *const *argv,
	size_t n_argv, const char *output);

#endif
