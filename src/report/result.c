/* Prints plans and results as text. */
#include "report/result.h"

#include "base/duration.h"
#include "base/plural.h"
#include "model/action.h"

static const struct {
	const char *verb, *did, *what;
} phrases[] = {
	[ACTION_KILL_LEAKED] = { "end", "ended", "leaked connection" },
	[ACTION_TERMINATE] = { "end", "ended", "connection" },
	[ACTION_CANCEL] = { "cancel", "cancelled", "running statement" },
	[ACTION_EMERGENCY] = { "end", "ended", "remaining session" },
	[ACTION_PROXY_START] = { "do", "did", "step" },
	[ACTION_PROXY_RESTART] = { "do", "did", "step" },
	[ACTION_CLEAR_PAGES] = { "remove", "removed", "stats page" },
};

/* Ends the line. */
static void put_place(struct printer *printer, const struct action *plan)
{
	if (plan->server) {
		printer_format(printer, " on ");
		printer_text(printer, plan->server);
	}
	printer_end_line(printer);
}

static void put_count(struct printer *printer, const struct action *plan, size_t n)
{
	printer_format(printer, "%zu %s%s", n, phrases[plan->kind].what, plural_s(n));
	put_place(printer, plan);
}

static void put_session(struct printer *printer, const struct session_step *session)
{
	char age[DURATION_TEXT_MAX];
	printer_format(printer, "%7s  ", duration_format(session->age, age));
	printer_cell(printer, session->application_name, 18);
	if (session->reason != REASON_NONE)
		printer_format(printer, "%s, %s", reason_phrase(session->reason),
			certainty_name(session->certainty));
	else
		printer_text(printer, session->state_text);
}

/* "   9912  terminated    7m12s  app/4312/1        held too long, proven" */
static void put_step(struct printer *printer, const struct action_step *step, const char *result)
{
	printer_format(printer, "%9d  ", step->pid);
	if (result)
		printer_cell(printer, result, 12);
	switch (step->kind) {
	case STEP_SESSION: put_session(printer, &step->session); break;
	case STEP_PROCESS: printer_text(printer, step->process.name); break;
	case STEP_COMMAND: printer_text(printer, step->command.text); break;
	case STEP_PAGE: printer_text(printer, step->page.path); break;
	}
	printer_end_line(printer);
}

/* Cut at the end of the line. */
static void put_query(struct printer *printer, const char *query)
{
	if (!query || !*query)
		return;
	printer_move(printer, PRINTER_NOTE_COLUMN);
	printer_text(printer, "query: ");
	printer_rest(printer, query);
	printer_end_line(printer);
}

/* "Nothing found" is only said of what could be seen. */
void result_put_blind(struct printer *printer, const struct action *action)
{
	if (!action->blind)
		return;
	printer_text(printer, action_count_selected(action) ? "perhaps more: " : "cannot tell: ");
	printer_text(printer, action->blind);
	printer_end_line(printer);
}

int result_print_plan(const struct action *plan, const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	size_t n = action_count_selected(plan);
	if (n > 0) {
		printer_format(&printer, "would %s ", phrases[plan->kind].verb);
		put_count(&printer, plan, n);
	} else if (!plan->blind) {
		printer_format(&printer, "nothing to %s", phrases[plan->kind].verb);
		put_place(&printer, plan);
	}
	result_put_blind(&printer, plan);
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct action_step *step = &plan->steps[i];
		if (!step->selected)
			continue;
		put_step(&printer, step, NULL);
		printer_note(&printer, "process: ", step->session.process);
		put_query(&printer, step->session.query);
		printer_note(&printer, "loses: ", step->session.loses);
	}
	if (n && plan->kind != ACTION_CANCEL) {
		printer_text(&printer, "also lost: " ACTION_LOSES_UNKNOWN);
		printer_end_line(&printer);
	}
	return printer_flush(&printer);
}

static void put_survivors(struct printer *printer, const struct action *plan)
{
	printer_format(printer, "%zu survived:", action_count_survivors(plan));
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected && action_result_survived(plan->steps[i].result))
			printer_format(printer, " %d", plan->steps[i].pid);
	printer_end_line(printer);
}

int result_print_text(const struct action *plan, const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	size_t n = action_count_selected(plan);
	printer_format(&printer, "%s %zu of ", phrases[plan->kind].did, action_count_done(plan));
	put_count(&printer, plan, n);
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct action_step *step = &plan->steps[i];
		if (!step->selected)
			continue;
		put_step(&printer, step, action_result_name(step->result));
		printer_note(&printer, "", step->detail);
	}
	if (action_count_survivors(plan) > 0)
		put_survivors(&printer, plan);
	result_put_blind(&printer, plan);
	return printer_flush(&printer);
}
