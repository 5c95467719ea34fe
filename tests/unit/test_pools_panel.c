/* view/pools: the contents of the panel, and what is left out where there is little room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "sample.h"
#include "screen_text.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

static char *draw(const struct assessment *assessment, int width, int height)
{
	struct ui_state ui;
	struct grid grid;
	ui_init(&ui, NULL, 0);
	grid_init(&grid);
	screen_show(assessment, NULL, &ui, NULL, width, height, &grid);
	char *text = screen_text(&grid);
	grid_deinit(&grid);
	ui_deinit(&ui);
	return text;
}

static void check(const struct assessment *assessment, int width, int height, const char *words)
{
	CLEANUP(cleanup_free) char *text = draw(assessment, width, height);
	if (!strstr(text, words))
		fail_msg("no \"%s\" in %dx%d:\n%s", words, width, height, text);
}

static void pools_holds_and_the_starving_are_shown(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	check(assessment, 120, 36, "app 4312           ██░      2/3    waiting 0");
	check(assessment, 120, 36, "longest hold 7m12s sync.c:212");
	check(assessment, 120, 36, "pgbouncer app/app  ██░░░░░░ 3/20   waiting 2   clients 12");
	check(assessment, 120, 36, "max wait 0.4s   starving: node server.js 6001");
	check(assessment, 120, 36, "old-77.page  it is damaged, or no stats page");
	check(assessment, 200, 50, "p99 2.3ms");
	check(assessment, 120, 36, "held since 11:56:32 at sync.c:212");
	/* its number is one of another pid namespace */
	((struct pool_page *)assessment->pools[0].page)->owner_visible = false;
	check(assessment, 200, 50, "process cannot be seen");
	assessment_free(assessment);
}

static void what_has_no_room_is_counted(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	check(assessment, 80, 24, "2/3    longest hold 7m12s sync.c:212");
	check(assessment, 80, 24, "+1 more");
	check(assessment, 80, 16, "+2 more");
	/* No word is cut: the brief form is shown. */
	check(assessment, 61, 24, "2/3    held 7m12s");
	check(assessment, 61, 15, "held 7m12s    +2 more");
	CLEANUP(cleanup_free) char *small = draw(assessment, 40, 12);
	assert_null(strstr(small, "pools"));
	CLEANUP(cleanup_free) char *smallest = draw(assessment, 30, 8);
	assert_null(strstr(smallest, "pools"));
	assessment_free(assessment);
}

static void a_console_in_trouble_comes_first(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct source_state sources[SOURCE_COUNT + 1];
	memcpy(sources, assessment->sources, SOURCE_COUNT * sizeof(*sources));
	sources[SOURCE_COUNT] = (struct source_state){ .name = "pgbouncer 10.0.0.9:6432",
		.status = SOURCE_FAILED,
		.taken_at = INT64_MIN,
		.error = "not allowed" };
	assessment->sources = sources;
	assessment->n_sources = SOURCE_COUNT + 1;
	check(assessment, 80, 24, " pools  pgbouncer 10.0.0.9:6432  not allowed");
	sources[SOURCE_COUNT].status = SOURCE_STALE;
	sources[SOURCE_COUNT].taken_at = assessment->now - 14000000;
	check(assessment, 80, 24, "10.0.0.9:6432  data 14s old   not allowed");
	assessment_free(assessment);
}

static void what_waits_in_the_outbox_is_shown(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_OUTBOX);
	struct pool_outbox *outbox = &assessment->pages->items[0].outbox;
	check(assessment, 160, 36, "outbox 12 for 3m12s   outbox rejected 2   ");
	check(assessment, 80, 24, "2/3    longest hold 7m12s sync.c:212");
	outbox->rejected = 0;
	check(assessment, 160, 36, "outbox 12 for 3m12s   timeouts 0");
	*outbox = (struct pool_outbox){ .present = true, .oldest_at = INSTANT_UNKNOWN };
	check(assessment, 160, 36, "p99 2.3ms   longest hold");
	check(assessment, 200, 36, "outbox 0   ");
	/* The page of a dead process still shows what its file keeps. */
	assessment->pages->items[0].status = POOL_PAGE_DEAD;
	outbox->waiting = 12;
	check(assessment, 160, 36, "left behind   outbox 12");
	/* Not connected, or not any more: what it left is not known. */
	assessment->pools[0].connections = 0;
	check(assessment, 160, 36, "its process has ended   outbox 12");
	/* ... nor whether it is of this server. */
	assessment->pools[0].unsure = true;
	check(assessment, 160, 36, "leads to 127.0.0.1:5432/app   its process has ended");
	check(assessment, 80, 24, "leads to 127.0.0.1:5432/app");
	assessment_free(assessment);
}

static void without_pools_there_is_no_panel(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_EMPTY);
	CLEANUP(cleanup_free) char *text = draw(assessment, 120, 36);
	assert_null(strstr(text, "pools"));
	assessment_free(assessment);
}

static void a_hook_that_runs_or_went_wrong_is_named(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct pool_hook *hooks = assessment->pages->items[0].hooks;
	CLEANUP(cleanup_free) char *before = draw(assessment, 120, 36);
	assert_null(strstr(before, "hook"));
	hooks[1].state = POOL_HOOK_RUNNING;
	check(assessment, 120, 36, "hook outbox runs");
	check(assessment, 80, 24, "hook outbox runs");
	hooks[0].state = POOL_HOOK_FAILED;
	check(assessment, 120, 36, "hook stop workers failed");
	hooks[0].state = POOL_HOOK_DONE;
	hooks[1].state = POOL_HOOK_LATE;
	check(assessment, 120, 36, "hook outbox is late");
	assessment_free(assessment);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_holds_and_the_starving_are_shown),
		cmocka_unit_test(what_has_no_room_is_counted),
		cmocka_unit_test(a_console_in_trouble_comes_first),
		cmocka_unit_test(what_waits_in_the_outbox_is_shown),
		cmocka_unit_test(without_pools_there_is_no_panel),
		cmocka_unit_test(a_hook_that_runs_or_went_wrong_is_named),
	};
	return cmocka_run_group_tests_name("pools_panel", tests, NULL, NULL);
}
