/* One fact a property of the two steps. */
#include "view/proxy_plan_view.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/plural.h"
#include "model/action.h"
#include "widgets/dialog.h"
#include "widgets/facts.h"
#include "widgets/frame.h"
#include "widgets/ui.h"

static void add_process(struct arena *arena, struct facts *facts, const struct action_step *step)
{
	const struct process_step *process = &step->process;
	facts_add(facts, STYLE_TEXT, "stops",
		arena_printf(arena, "%d %s, with SIGTERM; it is never killed", step->pid,
			process->name ? process->name : ""));
	facts_add(facts, STYLE_TEXT, "program", process->executable);
	facts_add(facts, process->connections ? STYLE_CAUTION : STYLE_TEXT, "loses",
		arena_printf(arena, "%u connection%s through it", process->connections,
			plural_s(process->connections)));
	facts_add(facts, STYLE_CAUTION, "unit",
		process->unit
			? arena_printf(arena, "%s: systemd may start it again by itself, as well",
				  process->unit)
			: NULL);
}

static void add_command(struct facts *facts, const struct command_step *command)
{
	facts_add(facts, STYLE_TEXT, "runs", command->text);
	facts_add(
		facts, STYLE_DIM, "its output", command->output ? command->output : "is discarded");
}

static void add_result(struct arena *arena, struct facts *facts, const struct action_step *step)
{
	facts_section(facts, "Result");
	if (step->result == RESULT_PENDING) {
		facts_add(facts, STYLE_CAUTION, "now",
			step->pid ? arena_printf(arena,
					    "process %d runs; waiting to see whether it stays …",
					    step->pid)
				  : "waiting for the old one to end …");
		return;
	}
	const char *phrase = action_result_phrase(step->kind, step->result);
	facts_add(facts, action_result_style(step->result), "result",
		step->result == RESULT_STARTED && step->pid
			? arena_printf(arena, "%s: process %d", phrase, step->pid)
			: phrase);
	facts_add(facts, STYLE_TEXT, "", step->detail);
}

void proxy_plan_view_draw(const struct frame *frame, bool planned)
{
	const struct action *action = frame->plan;
	struct arena *arena = arena_new();
	struct facts *facts = facts_new(arena);
	for (size_t i = 0; i < action->n_steps; i++)
		if (action->steps[i].kind == STEP_PROCESS)
			add_process(arena, facts, &action->steps[i]);
		else
			add_command(facts, &action->steps[i].command);
	if (!planned)
		add_result(arena, facts, &action->steps[action->n_steps - 1]);
	const char *notice = frame->ui->notice;
	struct dialog dialog = {
		.title = action->kind == ACTION_PROXY_START
			? planned ? "Start the proxy?" : "Starting the proxy"
			: planned ? "Restart the proxy?"
				  : "Restarting the proxy",
		.title_style = STYLE_STRONG,
		.note = notice    ? notice
			: planned ? "no shell reads the command"
				  : NULL,
		.note_asks = notice && planned,
		.count = planned,
	};
	facts_draw(frame, facts, &dialog);
	arena_free(arena);
}
