/* Shows a sample's screen: show_screen [-c] KIND WIDTH HEIGHT [PAGE [FILTER [GROUPING]]]. KIND is
 * enum sample_kind's number, or 1000 and up for that many connections; PAGE is help, plan, results,
 * details, locks or proxy; -c is with colours. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/history.h"
#include "sample.h"
#include "screen_text.h"
#include "view/details.h"
#include "view/help.h"
#include "view/locks.h"
#include "view/plan.h"
#include "view/proxy_view.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

static int number(int argc, char **argv, int i, int otherwise)
{
	return argc > i ? atoi(argv[i]) : otherwise;
}

/* NULL: the table. */
static const struct view *find_page(const char *name)
{
	static const struct {
		const char *name;
		const struct view *view;
	} pages[] = {
		{ "help", &help_view },
		{ "plan", &plan_view },
		{ "results", &results_view },
		{ "details", &details_view },
		{ "locks", &locks_view },
		{ "proxy", &proxy_view },
	};
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].name, name) == 0)
			return pages[i].view;
	return NULL;
}

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	setenv("TZ", "UTC", 1);
	bool colored = argc > 1 && strcmp(argv[1], "-c") == 0;
	argc -= colored;
	argv += colored;
	int kind = number(argc, argv, 1, 0);
	struct assessment *assessment = kind < SAMPLE_COUNT
		? sample_assessment((enum sample_kind)kind)
		: sample_many((size_t)kind, 20);
	static struct history history;
	sample_history(&history);
	struct ui_state ui;
	struct details details = { 0 };
	ui_init(&ui, screen_keys, n_screen_keys);
	if (argc > 5)
		filter_set(&ui.filter, argv[5]);
	/* a backend's pid in its place is what the details page is about */
	int last = number(argc, argv, 6, 0);
	int subject = last < GROUPING_COUNT ? 9912 : last;
	ui.grouping = last < GROUPING_COUNT ? (enum grouping)last : GROUPING_PROCESS;
	struct grid grid;
	grid_init(&grid);
	const struct view *page = argc > 4 ? find_page(argv[4]) : NULL;
	if (page && page != &details_view)
		ui_push(&ui, page);
	struct action *plan = screen_plan(assessment, page == &results_view);
	if (page == &details_view && sample_find(assessment, subject))
		details_open(&details, &ui, sample_find(assessment, subject));
	details_settle(&details, &ui, assessment);
	screen_show(assessment, &history, &ui, plan, number(argc, argv, 2, 120),
		number(argc, argv, 3, 36), &grid);
	char *text = colored ? screen_text_colored(&grid) : screen_text(&grid);
	fputs(text, stdout);
	free(text);
	action_free(plan);
	grid_deinit(&grid);
	ui_deinit(&ui);
	details_deinit(&details);
	assessment_free(assessment);
	return 0;
}
