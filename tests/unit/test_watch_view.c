/* The shutdown watch on the screen: its verdict, its timeline with the graph, and its state in the
 * line above the table while its screen is closed. */
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
#include "model/shutdown.h"
#include "sample.h"
#include "screen_text.h"
#include "view/watch_view.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

#define MS(n) ((n)*USEC_PER_MSEC)

static struct assessment *assessment;
static struct ui_state ui;
static struct ui_watch watch;
static struct shutdown_verdict verdict;

static const struct key_help keys[] = {
	{ "k", NULL, "end #", &watch_view, true, .need = 1 },
	{ "w", NULL, "arm again", &watch_view, false, .need = 2 },
	{ "Esc", NULL, "close, watch on", &watch_view, true },
	{ "Esc", NULL, "stay", &quit_view, true },
};

static const struct shutdown_event events[] = {
	{ 0, EVENT_SIGNAL, 0, "SIGINT sent", 3 },
	{ MS(188), EVENT_CLOSED, 9913, "9913 closed", 2 },
	{ MS(9999), EVENT_CLOSED, 9914, "9914 closed", 1 },
	{ MS(62000), EVENT_PROCESS_ENDED, 4312, "python3 4312 ended, status 0", 1 },
};

static int set_up(void **state)
{
	(void)state;
	assessment = sample_assessment(SAMPLE_SCREEN);
	ui_init(&ui, keys, sizeof(keys) / sizeof(keys[0]));
	verdict = (struct shutdown_verdict){ .sentence = "armed: waits for its end" };
	watch = (struct ui_watch){
		.name = "python3 4312", .verdict = &verdict, .connections = 3, .elapsed = -1
	};
	ui.watch = &watch;
	ui.met = 1u << 2;
	ui_push(&ui, &watch_view);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ui_deinit(&ui);
	assessment_free(assessment);
	return 0;
}

static void give_verdict(bool pass)
{
	verdict = (struct shutdown_verdict){
		.behaviour = pass ? BEHAVIOUR_CLOSED : BEHAVIOUR_LEFT_SESSIONS,
		.pass = pass,
		.sentence =
			"1 connection left 5 s after exit: backend 9912 idle in transaction for "
			"7m12s, borrowed at sync.c:212",
		.timeline = events,
		.n_events = sizeof(events) / sizeof(events[0]),
	};
	watch.complete = true;
	watch.connections = 1;
	watch.left = !pass;
	ui.met = pass ? 0 : 1u << 1;
	watch.elapsed = MS(63000);
}

static char *draw(int width, int height)
{
	struct grid grid;
	grid_init(&grid);
	screen_show(assessment, NULL, &ui, NULL, width, height, &grid);
	char *text = screen_text(&grid);
	grid_deinit(&grid);
	return text;
}

static void check(int width, int height, const char *words, bool there)
{
	CLEANUP(cleanup_free) char *text = draw(width, height);
	if (!strstr(text, words) == there)
		fail_msg("\"%s\" is%s in\n%s", words, there ? " not" : "", text);
}

static void armed_it_waits(void **state)
{
	(void)state;
	check(110, 30, "watching python3 4312 · 3 connections", true);
	check(110, 30, "armed: waits for its end", true);
	check(110, 30, "PASS", false);
	check(110, 30, "w arm again", true);
	/* Nothing is left, so the key is not offered, however small the window is. */
	watch.left = 3;
	check(110, 30, "k end", false);
	check(30, 8, "k  ", false);
	check(30, 8, "Esc close", true);
}

static void ended_it_is_not_armed_again(void **state)
{
	(void)state;
	give_verdict(false);
	check(110, 30, "k end 1", true);
	check(30, 8, "k  Esc", true);
	check(110, 30, "w arm again", false);
}

static void a_verdict_comes_first(void **state)
{
	(void)state;
	give_verdict(false);
	check(110, 30, "watched python3 4312 · 1 connection ", true);
	check(110, 30, "FAIL  1 connection left 5 s after exit", true);
	check(110, 30, "k end 1", true);
	/* The sentence is complete, its lines below its beginning. */
	check(40, 30, "│ FAIL  1 connection left 5 s after", true);
	check(40, 30, "│       exit: backend 9912", true);
	check(40, 30, "sync.c:212", true);
	give_verdict(true);
	check(110, 30, "PASS  ", true);
	check(110, 30, "k end", false);
}

static void times_are_as_people_say_them(void **state)
{
	(void)state;
	give_verdict(false);
	check(110, 30, "    0 ms  SIGINT sent", true);
	check(110, 30, "  188 ms  9913 closed", true);
	check(110, 30, " 9999 ms  9914 closed", true);
	check(110, 30, "   1m02s  python3 4312 ended, status 0", true);
}

static void the_graph_runs_out(void **state)
{
	(void)state;
	give_verdict(false);
	check(110, 30, " 3 ███ │", true);
	check(110, 30, " 2 ██  │", true);
	check(110, 30, " 1 █   │", true);
	/* no room for the graph */
	check(60, 30, "██  │", false);
}

/* If there are more connections than columns, bars are scaled; one connection has one cell. */
static void the_longest_bar_has_an_end(void **state)
{
	(void)state;
	static const struct shutdown_event many[] = {
		{ 0, EVENT_SIGNAL, 0, "SIGINT sent", 400 },
		{ MS(1), EVENT_CLOSED, 0, "most closed", 1 },
	};
	give_verdict(false);
	verdict.timeline = many;
	verdict.n_events = 2;
	check(110, 30, " 400 ████████████████████ │", true);
	check(110, 30, "   1 █                    │", true);
}

static void while_it_ends_the_clock_goes_on(void **state)
{
	(void)state;
	give_verdict(false);
	verdict.behaviour = BEHAVIOUR_NONE;
	watch.complete = false;
	check(110, 30, "1m03s  …", true);
	ui.ascii = true;
	check(110, 30, "1m03s  ...", true);
}

static void closed_it_is_reported_in_the_rule(void **state)
{
	(void)state;
	ui_pop(&ui);
	check(110, 30, "── watching python3 4312: armed ──", true);
	watch.elapsed = MS(3);
	check(110, 30, "watching python3 4312: it ends", true);
	give_verdict(false);
	check(110, 30, "watched python3 4312: FAIL", true);
	ui_push(&ui, &watch_view);
	check(110, 30, "4312: FAIL", false);
}

static void quitting_is_asked_whole(void **state)
{
	(void)state;
	ui_push(&ui, &quit_view);
	check(110, 30, "Ctrl-C here is for dbtop, not for the application.", true);
	check(110, 30, "Quit, and stop watching how it ends?", true);
	check(40, 12, "ends?", true);
	check(40, 12, "…", false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(armed_it_waits),
		TEST(ended_it_is_not_armed_again),
		TEST(a_verdict_comes_first),
		TEST(times_are_as_people_say_them),
		TEST(the_graph_runs_out),
		TEST(the_longest_bar_has_an_end),
		TEST(while_it_ends_the_clock_goes_on),
		TEST(closed_it_is_reported_in_the_rule),
		TEST(quitting_is_asked_whole),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("watch_view", tests, NULL, NULL);
}
