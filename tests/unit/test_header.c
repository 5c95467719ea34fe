/* The header: its contents, and what it leaves out first. */
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
#include "model/history.h"
#include "sample.h"
#include "screen_text.h"
#include "view/header.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

static struct assessment *assessment;
static struct history history;
static struct ui_state ui;
static struct grid grid;

static void take(enum sample_kind kind)
{
	assessment_free(assessment);
	assessment = sample_assessment(kind);
}

static int set_up(void **state)
{
	(void)state;
	assessment = sample_assessment(SAMPLE_SCREEN);
	sample_history(&history);
	ui_init(&ui, NULL, 0);
	grid_init(&grid);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	grid_deinit(&grid);
	ui_deinit(&ui);
	assessment_free(assessment);
	assessment = NULL;
	return 0;
}

static struct frame frame_of(int width, int height)
{
	grid_reset(&grid, width, height);
	static struct ui_shown shown;
	return (struct frame){ &grid, assessment, &history, NULL, &ui, &shown, assessment->now };
}

static char *header(int width)
{
	struct frame frame = frame_of(width, HEADER_LINES);
	header_draw(&frame, 0);
	return screen_text(&grid);
}

static void check(int width, const char *words, bool there)
{
	CLEANUP(cleanup_free) char *text = header(width);
	if (!strstr(text, words) == there)
		fail_msg("\"%s\" is%s at %d:\n%s", words, there ? " not" : "", width, text);
}

static void the_numbers_stay(void **state)
{
	(void)state;
	for (int width = 60; width <= 220; width += 5) {
		check(width, "18 of 25 used", true);
		check(width, "4 free   3 reserved", true);
		check(width, "✗ 4 leaked", true);
		check(width, "app @ 127.0.0.1:5432", true);
		check(width, "live 1.0s", true);
	}
}

static void what_matters_less_goes_first(void **state)
{
	(void)state;
	check(200, "PostgreSQL 15.20   up 3d04h   1.2 ms", true);
	check(70, "up 3d04h", false);
	check(60, "PostgreSQL", false);
	check(120, "last 5 min", true);
	check(80, "last 5 min", false);
	check(60, "2 unknown", false);
	check(120, "2 unknown", true);
}

/* Holds at every width; the sentence is whole where it fits. */
static void a_pooler_is_named_first(void **state)
{
	(void)state;
	assessment->server.pooler = true;
	for (int width = 60; width <= 220; width += 5) {
		check(width, "through a pooler", true);
		check(width, "live 1.0s", true);
	}
	for (int width = 90; width <= 220; width += 5)
		check(width, "through a pooler: connect to PostgreSQL itself", true);
	check(110, "app @ 127.0.0.1:5432   through a pooler: connect", true);
	assessment->server.pooler = false;
	check(110, "pooler", false);
}

static void freshness_is_reported(void **state)
{
	(void)state;
	ui.interval = 500000;
	check(120, "live 0.5s", true);
	ui.paused = true;
	check(120, "paused", true);
	ui.paused = false;
	ui.replay = (struct ui_replay){ .at = 4, .count = 10, .speed = "2×", .playing = true };
	check(120, "▶ replay 2×  5/10", true);
	ui.replay.playing = false;
	check(120, "▮▮ replay  5/10", true);
	ui.replay.count = 0;
	ui.readonly = true;
	check(120, "read-only  live", true);
	ui.readonly = false;
	take(SAMPLE_STALE);
	check(120, "reconnecting", true);
	check(120, "live", false);
}

static void what_is_not_known_is_said(void **state)
{
	(void)state;
	take(SAMPLE_FULL);
	check(120, "FULL: no slot is left", true);
	check(120, "leaked", false);
	take(SAMPLE_REFUSED);
	check(120, "not known yet", true);
	check(120, " of ", false);
	ui.paused = true;
	check(120, "paused", true);
	ui.paused = false;
	take(SAMPLE_EMPTY);
	check(120, "✓ none leaked", true);
	/* no process was looked for yet */
	((struct source_state *)assessment->sources)[SOURCE_PEERS].status = SOURCE_WAITING;
	check(120, "none seen leaked", true);
}

static char *line(int width)
{
	struct frame frame = frame_of(width, 1);
	header_draw_line(&frame, 0);
	return screen_text(&grid);
}

/* A hidden row may be a worker, which holds no slot. */
static void hidden_rows_leave_bounds(void **state)
{
	(void)state;
	assessment->slots.used = assessment->slots.free = -1;
	check(120, "≤ 18 of 25 used   ≥ 4 free", true);
	int leaked = assessment->slots.by_status[STATUS_LEAKED];
	assessment->slots.by_status[STATUS_LEAKED] = 0;
	check(120, "none seen leaked", true);
	check(120, "others:", false);
	assessment->slots.by_status[STATUS_LEAKED] = leaked;
	assessment->slots.used = 18;
	assessment->slots.free = 4;
	check(120, "≤", false);
	check(120, "18 of 25 used   4 free", true);
}

/* Sockets without a session are counted; where not all are in sight, there may be more. */
static void logins_are_counted(void **state)
{
	(void)state;
	struct login logins[] = { { .process = NO_PROCESS, .count = 17 },
		{ .process = NO_PROCESS, .count = 3 } };
	check(120, "not logged in", false);
	assessment->logins = logins;
	assessment->n_logins = 2;
	assessment->slots.logging_in = 20;
	check(120, "✗ 4 leaked   20 not logged in   others: 2 in transaction", true);
	check(60, "20 not logged in", true);
	check(30, "not logged in", false);
	assessment->slots.logging_in = -1;
	check(120, "   ≥ 20 not logged in", true);
}

/* The CONNECTION LIMIT that leaves less room than the server itself. */
static void the_limit_that_binds_is_shown(void **state)
{
	(void)state;
	struct slot_limit limit = { SLOT_LIMIT_ROLE, "app", 20, 18, 18 };
	assessment->slot_limits = &limit;
	assessment->n_slot_limits = 1;
	check(120, "✗ 4 leaked   role app 18 of 20   others: 2 in transaction", true);
	limit = (struct slot_limit){ SLOT_LIMIT_DATABASE, "shop", 20, -1, 20 };
	check(120, "   database shop ≤ 20 of 20", true);
	/* as much room as the server has, or no limit at all */
	limit = (struct slot_limit){ SLOT_LIMIT_ROLE, "app", 22, 18, 18 };
	check(120, "role app", false);
	limit.limit = -1;
	check(120, "role app", false);
}

static void one_line_has_both_numbers(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *narrow = line(30);
	assert_string_equal(narrow, " 18/25 used · 4 leaked\n");
	CLEANUP(cleanup_free) char *wide = line(40);
	assert_non_null(strstr(wide, "4 leaked  █"));
	take(SAMPLE_STALE);
	CLEANUP(cleanup_free) char *stale = line(40);
	assert_non_null(strstr(stale, "18/25 used · 4 leaked · 14s old"));
}

static char *numbers(int width, int height)
{
	struct frame frame = frame_of(width, height);
	header_draw_numbers(&frame);
	return screen_text(&grid);
}

static void check_numbers(int width, int height, const char *expected)
{
	CLEANUP(cleanup_free) char *text = numbers(width, height);
	assert_string_equal(text, expected);
}

/* Down to a single cell. */
static void the_smallest_say_what_they_can(void **state)
{
	(void)state;
	check_numbers(20, 2, "18/25 used\n✗ 4 leaked\n");
	check_numbers(9, 2, "18/25\n4 leaked\n");
	check_numbers(5, 2, "18/25\n✗4\n");
	check_numbers(3, 2, "…\n✗4\n");
	check_numbers(24, 1, "18/25 used · 4 leaked\n");
	check_numbers(8, 1, "18/25 ✗4\n");
	check_numbers(2, 1, "✗4\n");
	check_numbers(1, 1, "4\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* "full in 12 min" is shown only for a steady rise. */
static void a_steady_rise_says_when_it_is_full(void **state)
{
	(void)state;
	check(120, "full in", false);
	history = (struct history){ 0 };
	/* 8 slots in 280 s: the 4 that are free last for 140 s */
	for (int i = 280; i >= 0; i--)
		history_add(&history,
			(struct history_sample){ .at = SAMPLE_NOW - i * USEC_PER_SEC,
				.used = 18 - i * 8 / 280,
				.leaked = 0 });
	check(120, "at this rate full in 2 min", true);
	for (int width = 60; width <= 220; width += 5) {
		check(width, "18 of 25 used", true);
		check(width, "full in 2 min", true);
	}
	CLEANUP(cleanup_free) char *wide = line(60);
	assert_non_null(strstr(wide, "18/25 used · 4 leaked  full in 2 min"));
	CLEANUP(cleanup_free) char *narrow = line(30);
	assert_string_equal(narrow, " 18/25 used · 4 leaked\n");
	/* the samples end where the polls fail */
	assessment->sources[SOURCE_ACTIVITY].status = SOURCE_FAILED;
	check(120, "full in", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_numbers_stay),
		TEST(what_matters_less_goes_first),
		TEST(a_pooler_is_named_first),
		TEST(freshness_is_reported),
		TEST(what_is_not_known_is_said),
		TEST(hidden_rows_leave_bounds),
		TEST(logins_are_counted),
		TEST(the_limit_that_binds_is_shown),
		TEST(one_line_has_both_numbers),
		TEST(a_steady_rise_says_when_it_is_full),
		TEST(the_smallest_say_what_they_can),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
