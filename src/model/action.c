/* The words of actions and their results. */
#include "model/action.h"

#include <signal.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/activity.h"
#include "model/assessment.h"

static const char *const kind_names[] = {
	[ACTION_KILL_LEAKED] = "kill_leaked",
	[ACTION_TERMINATE] = "terminate",
	[ACTION_CANCEL] = "cancel",
	[ACTION_EMERGENCY] = "emergency",
	[ACTION_PROXY_START] = "proxy_start",
	[ACTION_PROXY_RESTART] = "proxy_restart",
	[ACTION_CLEAR_PAGES] = "clear_pages",
};

enum end {
	END_NONE,
	END_DONE,     /* the step did what it was to do */
	END_SURVIVED, /* the session or the process is still there */
};

static const struct {
	const char *name, *sign, *phrase;
	const char *page; /* the phrase for a page, where it differs */
	enum style style;
	enum end end;
} results[RESULT_COUNT] = {
	[RESULT_PENDING] = { "pending", "·", "…", "", STYLE_DIM },
	[RESULT_TERMINATED] = { "terminated", "✓", "ended", NULL, STYLE_GOOD, END_DONE },
	[RESULT_GONE] = { "gone", "✓", "ended before us", "was removed before us", STYLE_DIM },
	[RESULT_CHANGED] = { "changed", "–", "came back to life: left alone",
		"is not what it was any more: left alone", STYLE_CAUTION },
	[RESULT_DENIED] = { "denied", "✗", "denied", "could not be removed", STYLE_LEAKED,
		END_SURVIVED },
	[RESULT_TIMEOUT] = { "timeout", "✗", "still there", NULL, STYLE_LEAKED, END_SURVIVED },
	[RESULT_CANCELLED] = { "cancelled", "✓", "cancelled", NULL, STYLE_GOOD, END_DONE },
	[RESULT_STARTED] = { "started", "✓", "started", NULL, STYLE_GOOD, END_DONE },
	[RESULT_FAILED] = { "failed", "✗", "not started", NULL, STYLE_LEAKED },
	[RESULT_SURVIVED] = { "survived", "✗", "the old one is still there", NULL, STYLE_LEAKED,
		END_SURVIVED },
	[RESULT_CLEARED] = { "cleared", "✓", "removed", NULL, STYLE_GOOD, END_DONE },
};

struct action *action_new(enum action_kind kind, size_t most)
{
	struct arena *arena = arena_new();
	struct action *action = arena_alloc(arena, sizeof(*action));
	*action = (struct action){
		.arena = arena,
		.kind = kind,
		.steps = arena_array(arena, most, sizeof(*action->steps)),
	};
	return action;
}

void action_set_server(struct action *action, const struct assessment *assessment)
{
	struct arena *arena = action->arena;
	const struct server_state *server = &assessment->server;
	const struct activity *activity = assessment->activity;
	action->server = assessment_server(assessment, arena);
	action->role = arena_strdup(arena, server->user);
	action->at = (struct action_server){
		.present = true,
		.host = arena_strdup(arena, server->host),
		.port = server->port,
		.database = arena_strdup(arena, server->database),
		.user = action->role,
		.version = activity ? activity->server.version : -1,
		.started_at = activity ? activity->server.started_at : INSTANT_UNKNOWN,
		.status = server_status_name(server->status),
		.pooler = server->pooler,
		.name = arena_strdup(arena, server->name),
	};
}

void action_free(struct action *action)
{
	if (action)
		arena_free(action->arena);
}

size_t action_count_selected(const struct action *action)
{
	size_t count = 0;
	for (size_t i = 0; i < action->n_steps; i++)
		count += action->steps[i].selected;
	return count;
}

size_t action_count(const struct action *action, enum action_result result)
{
	size_t count = 0;
	for (size_t i = 0; i < action->n_steps; i++)
		count += action->steps[i].selected && action->steps[i].result == result;
	return count;
}

static size_t count_ends(const struct action *action, enum end end)
{
	size_t count = 0;
	for (size_t i = 0; i < action->n_steps; i++)
		count += action->steps[i].selected && results[action->steps[i].result].end == end;
	return count;
}

size_t action_count_done(const struct action *action)
{
	return count_ends(action, END_DONE);
}

size_t action_count_survivors(const struct action *action)
{
	return count_ends(action, END_SURVIVED);
}

const char *action_kind_name(enum action_kind kind)
{
	return kind_names[kind];
}

const char *action_result_name(enum action_result result)
{
	return results[result].name;
}

bool action_result_survived(enum action_result result)
{
	return results[result].end == END_SURVIVED;
}

const char *action_result_phrase(enum step_kind kind, enum action_result result)
{
	if (kind == STEP_PROCESS && result == RESULT_CHANGED)
		return "left alone";
	return kind == STEP_PAGE && results[result].page ? results[result].page
							 : results[result].phrase;
}

const char *action_result_sign(enum action_result result)
{
	return results[result].sign;
}

enum style action_result_style(enum action_result result)
{
	return results[result].style;
}

const char *action_signal_name(int signal)
{
	switch (signal) {
	case SIGTERM: return "SIGTERM";
	case SIGKILL: return "SIGKILL";
	default: return "";
	}
}
