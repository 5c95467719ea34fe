/* view/plan on narrow screens: what has no room beside the row under the cursor is below the rows,
 * in several lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/history.h"
#include "sample.h"
#include "screen_text.h"
#include "view/plan.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

#define ROW 1 /* it loses a running statement */

/* The contents of the box as one line, without its frame and what is beside it. */
static char *read_box(char *screen)
{
	char *box = mem_alloc(strlen(screen) + 2), *to = box;
	for (char *line; (line = strsep(&screen, "\n"));) {
		char *begin = strstr(line, "│ ");
		char *end = begin ? strstr(begin + 1, " │") : NULL;
		if (!end)
			continue;
		begin += strlen("│ ");
		while (end > begin && end[-1] == ' ')
			end--;
		memcpy(to, begin, (size_t)(end - begin));
		to += end - begin;
		*to++ = ' ';
	}
	*to = '\0';
	return box;
}

static char *show(const struct assessment *assessment, struct action *plan, const struct view *view,
	size_t cursor, int width)
{
	struct history history = { 0 };
	struct ui_state ui;
	struct grid grid;
	sample_history(&history);
	ui_init(&ui, screen_keys, n_screen_keys);
	grid_init(&grid);
	ui_push(&ui, view);
	ui.cursor = cursor;
	screen_show(assessment, &history, &ui, plan, width, 24, &grid);
	CLEANUP(cleanup_free) char *text = screen_text(&grid);
	grid_deinit(&grid);
	ui_deinit(&ui);
	return read_box(text);
}

static void assert_shows(const char *box, const char *words, int width)
{
	if (!strstr(box, words))
		fail_msg("at %d columns:\n%s\nis without: %s", width, box, words);
}

static void what_is_lost_and_why_is_read_to_its_end(void **state)
{
	(void)state;
	static const int widths[] = { 50, 60, 80, 100, 120, 160 };
	static const char why[] = "the connection was lost before the answer came, which would have"
				  " said whether the session has ended";
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct action *plan = screen_plan(assessment, false);
	struct action_step *step = &plan->steps[ROW];
	step->session.application_name = "a-long-application-name-of-a-batch-job";
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		int width = widths[i];
		step->result = RESULT_PENDING;
		step->detail = NULL;
		CLEANUP(cleanup_free) char *calm = show(assessment, plan, &plan_view, 0, width);
		assert_shows(calm, ACTION_LOSES_UNKNOWN, width);
		CLEANUP(cleanup_free) char *rows = show(assessment, plan, &plan_view, ROW, width);
		assert_shows(rows, "loses: running statement", width);
		step->result = RESULT_TIMEOUT;
		step->detail = why;
		CLEANUP(cleanup_free)
		char *results = show(assessment, plan, &results_view, ROW, width);
		assert_shows(results, why, width);
	}
	action_free(plan);
	assessment_free(assessment);
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_lost_and_why_is_read_to_its_end),
	};
	return cmocka_run_group_tests_name("plan_view", tests, NULL, NULL);
}
