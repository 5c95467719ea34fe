/* Which pages may be removed. */
#include "action/clear_plan.h"

#include <stdio.h>

#include "base/arena.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/rules.h"

static bool matches(const regex_t *scope, const char *text)
{
	return text && regexec(scope, text, 0, NULL, 0) == 0;
}

/* A page is in scope by the name that its sessions had, or by its process. */
static bool is_in_scope(const struct rules *rules, const struct pool_page *page)
{
	char name[128];
	snprintf(name, sizeof(name), "%.80s/%d/1", page->name ? page->name : "", page->pid);
	return !rules->scope || matches(rules->scope, name) ||
		matches(rules->scope, page->process ? page->process->name : NULL);
}

static void add_page(struct action *action, const struct pool_page *page)
{
	struct arena *arena = action->arena;
	action->steps[action->n_steps++] = (struct action_step){
		.kind = STEP_PAGE,
		.selected = true,
		.pid = page->pid,
		.page = {
			.path = arena_strdup(arena, page->path),
			.name = arena_strdup(arena, page->name),
			.process = page->process ? arena_strdup(arena, page->process->command) : NULL,
			.start_ticks = page->start_ticks,
			.dead_since = page->dead_since,
		},
	};
}

struct action *clear_plan(
	const struct assessment *assessment, const struct rules *rules, uint32_t uid)
{
	struct action *action = action_new(ACTION_CLEAR_PAGES, assessment->n_pools);
	action->made_at = assessment->now;
	action_set_server(action, assessment);
	for (size_t i = 0; i < assessment->n_pools; i++) {
		const struct pool *pool = &assessment->pools[i];
		if (pool_is_past(pool) && !pool->page->host && pool->page->uid == uid &&
			is_in_scope(rules, pool->page))
			add_page(action, pool->page);
	}
	return action;
}
