/* Shows a launch as a list of facts. */
#include "view/launch_view.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/plural.h"
#include "model/launch.h"
#include "view/dialog.h"
#include "view/facts.h"
#include "view/frame.h"
#include "view/ui.h"

static const struct {
	const char *phrase;
	enum style style;
} results[] = {
	[LAUNCH_PENDING] = { "", STYLE_DIM },
	[LAUNCH_STARTED] = { "started", STYLE_GOOD },
	[LAUNCH_FAILED] = { "not started", STYLE_LEAKED },
	[LAUNCH_SURVIVED] = { "the old one is still there", STYLE_LEAKED },
	[LAUNCH_CHANGED] = { "it is not the process any more that was seen", STYLE_CAUTION },
	[LAUNCH_DENIED] = { "denied", STYLE_LEAKED },
};

static const char *const titles[][2] = {
	[LAUNCH_START] = { "Start the proxy?", "Starting the proxy" },
	[LAUNCH_RESTART] = { "Restart the proxy?", "Restarting the proxy" },
};

static void tell_plan(struct arena *arena, struct facts *facts, const struct launch *launch)
{
	if (launch->old_pid) {
		facts_add(facts, STYLE_TEXT, "stops",
			arena_printf(arena, "%d %s, with SIGTERM; it is never killed",
				launch->old_pid, launch->old_name ? launch->old_name : ""));
		facts_add(facts, STYLE_TEXT, "program", launch->old_executable);
		facts_add(facts, launch->clients ? STYLE_CAUTION : STYLE_TEXT, "loses",
			arena_printf(arena, "%u connection%s through it", launch->clients,
				plural_s(launch->clients)));
		facts_add(facts, STYLE_CAUTION, "unit",
			launch->old_unit
				? arena_printf(arena,
					  "%s: systemd may start it again by itself, as well",
					  launch->old_unit)
				: NULL);
	}
	facts_add(facts, STYLE_TEXT, "runs", launch->command);
	facts_add(
		facts, STYLE_DIM, "its output", launch->output ? launch->output : "is thrown away");
}

static void tell_steps(struct arena *arena, struct facts *facts, const struct launch *launch)
{
	facts_section(facts, "Result");
	switch (launch->phase) {
	case LAUNCH_PLANNED: return;
	case LAUNCH_STOPPING:
		facts_add(facts, STYLE_CAUTION, "now", "waits for the old one to end …");
		return;
	case LAUNCH_STARTING:
		facts_add(facts, STYLE_CAUTION, "now",
			arena_printf(arena, "process %d runs; does it stay? …", launch->pid));
		return;
	case LAUNCH_DONE: break;
	}
	bool started = launch->result == LAUNCH_STARTED && launch->pid;
	facts_add(facts, results[launch->result].style, "result",
		started ? arena_printf(arena, "started: process %d", launch->pid)
			: results[launch->result].phrase);
	facts_add(facts, STYLE_TEXT, "", launch->detail);
}

void launch_view_draw(const struct frame *frame)
{
	const struct launch *launch = frame->ui->launch;
	if (!launch)
		return;
	struct arena *arena = arena_new();
	struct facts *facts = facts_new(arena);
	bool planned = launch->phase == LAUNCH_PLANNED;
	tell_plan(arena, facts, launch);
	tell_steps(arena, facts, launch);
	struct dialog dialog = {
		.title = titles[launch->kind][!planned],
		.title_style = STYLE_STRONG,
		.note = planned ? "no shell reads the command" : NULL,
		.screen = planned ? SCREEN_LAUNCH : SCREEN_LAUNCH_RUN,
	};
	facts_draw(frame, facts, &dialog);
	arena_free(arena);
}
