/* Cells back to text. */
#include "screen_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/action.h"
#include "model/assessment.h"
#include "view/details.h"
#include "view/help.h"
#include "view/locks.h"
#include "view/plan.h"
#include "view/proxy_view.h"
#include "view/screen.h"
#include "widgets/grid.h"
#include "widgets/settle.h"
#include "widgets/ui.h"

const struct key_help screen_keys[] = {
	{ "k", "end the leaked connections: shows the plan first", "kill # leaked", NULL, true },
	{ "K", "end the tagged connections, or the selected one", "kill", NULL, false },
	{ "c", "cancel the query of the tagged or selected", "cancel", NULL, false },
	{ "/", "filter, live", "filter", NULL, false },
	{ "s", "sort by the next column", "sort", NULL, false },
	{ "S", "reverse the order", NULL, NULL, false },
	{ "g", "group by process, application, database, pool, or not at all", "group", NULL,
		false },
	{ "p", "pause", "pause", NULL, false },
	{ "Space", "tag", NULL, NULL, false },
	{ "u", "untag all", NULL, NULL, false },
	{ "↑ ↓ PgUp PgDn", "move", NULL, NULL, false },
	{ "?", "this help", "help", NULL, true },
	{ "q", "quit", "quit", NULL, true },
	{ "Space", "tick or untick", "untick", &plan_view, false },
	{ "Enter", "end what is ticked", "end #", &plan_view, true },
	{ "Esc", "leave them alone", "leave them alone", &plan_view, true },
	{ "Enter", "close", "close", &results_view, true },
	{ "Esc", "close", "close", &help_view, true },
	{ "Esc", NULL, "close", &details_view, true },
	{ "Enter", NULL, "details", &locks_view, false, .need = 1 },
	{ "Esc", NULL, "close", &locks_view, true },
	{ "s", NULL, "start", &proxy_view, false, .need = 1 },
	{ "r", NULL, "restart", &proxy_view, false, .need = 2 },
	{ "Esc", NULL, "close", &proxy_view, true },
};
const size_t n_screen_keys = sizeof(screen_keys) / sizeof(screen_keys[0]);

static const char *const colors[STYLE_COUNT] = {
	[STYLE_DIM] = "90",
	[STYLE_STRONG] = "1",
	[STYLE_TITLE] = "1",
	[STYLE_HEADING] = "90",
	[STYLE_SORTED] = "1",
	[STYLE_GROUP] = "1",
	[STYLE_ACTIVE] = "32",
	[STYLE_CAUTION] = "33",
	[STYLE_LEAKED] = "1;31",
	[STYLE_GOOD] = "32",
	[STYLE_PROTECTED] = "36",
	[STYLE_USED] = "34",
	[STYLE_USED_LEAKED] = "31",
	[STYLE_FREE] = "90",
	[STYLE_RESERVED] = "90",
	[STYLE_KEY] = "1;36",
	[STYLE_DIALOG_FRAME] = "90",
};

static void write_color(FILE *out, const struct cell *cell)
{
	fprintf(out, "\033[0;%s%s%s%sm", colors[cell->style] ? colors[cell->style] : "",
		cell->overlay & OVERLAY_SELECTED ? ";7" : "",
		cell->overlay & OVERLAY_CHANGED ? ";1" : "",
		cell->overlay & OVERLAY_MATCH ? ";4" : "");
}

static void write_char(FILE *out, char32_t c)
{
	char bytes[4];
	if (c)
		fwrite(bytes, 1, text_encode(c, bytes), out);
}

static int last_used(const struct grid *grid, int y)
{
	int x = grid->width;
	while (x > 0 && grid_cell(grid, x - 1, y)->c == ' ')
		x--;
	return x;
}

static char *render(const struct grid *grid, int colored)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	for (int y = 0; y < grid->height; y++) {
		int end = colored ? grid->width : last_used(grid, y);
		for (int x = 0; x < end; x++) {
			const struct cell *cell = grid_cell(grid, x, y);
			if (colored)
				write_color(out, cell);
			write_char(out, cell->c);
			for (int i = 0; i < GRID_MARKS; i++)
				write_char(out, cell->marks[i]);
		}
		fputs(colored ? "\033[0m\n" : "\n", out);
	}
	fclose(out);
	return text;
}

char *screen_text(const struct grid *grid)
{
	return render(grid, 0);
}

char *screen_text_colored(const struct grid *grid)
{
	return render(grid, 1);
}

static struct action_step make_target(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *process = assessment_process(assessment, connection);
	const struct backend *backend = connection->backend;
	return (struct action_step){
		.pid = backend->pid,
		.session.backend_start = backend->start,
		.session.state_text = backend->state_text,
		.session.reason = connection->verdict.reason,
		.session.certainty = connection->verdict.certainty,
		.session.age = connection->verdict.age,
		.session.application_name = backend->application_name,
		.session.process = process ? process->process.command : NULL,
		.session.process_pid = process ? process->process.pid : 0,
		.session.loses = backend->state == BACKEND_STATE_IN_TRANSACTION
			? "open transaction, 7m12s"
			: backend->state == BACKEND_STATE_ACTIVE ? "running statement"
								 : NULL,
		.selected = connection->verdict.certainty == CERTAINTY_PROVEN,
	};
}

struct action *screen_plan(const struct assessment *assessment, bool done)
{
	struct arena *arena = arena_new();
	struct action *plan = arena_alloc(arena, sizeof(*plan));
	plan->arena = arena;
	plan->steps = arena_array(arena, assessment->n_connections, sizeof(*plan->steps));
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (assessment->connections[i].verdict.status == STATUS_LEAKED)
			plan->steps[plan->n_steps++] =
				make_target(assessment, &assessment->connections[i]);
	for (size_t i = 0; done && i < plan->n_steps; i++) {
		plan->steps[i].result = (enum action_result)(1 + i % RESULT_TIMEOUT);
		if (plan->steps[i].result == RESULT_DENIED)
			plan->steps[i].detail = "GRANT pg_signal_backend TO dbtop;";
	}
	return plan;
}

void screen_show(const struct assessment *assessment, const struct history *history,
	struct ui_state *ui, const struct action *plan, int width, int height, struct grid *grid)
{
	settle_rows(ui, assessment);
	struct ui_shown shown = screen_build(assessment, history, ui, plan, width, height, grid);
	ui_note_shown(ui, &shown);
}
