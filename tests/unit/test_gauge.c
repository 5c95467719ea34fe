/* The gauges: each kind of slot has its share, a number above zero has a cell, and time runs to the
 * right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/instant.h"
#include "model/assessment.h"
#include "model/history.h"
#include "widgets/gauge.h"
#include "widgets/grid.h"

#define NOW (1000 * USEC_PER_SEC)

static struct grid grid;

static int set_up(void **state)
{
	(void)state;
	grid_init(&grid);
	grid_reset(&grid, 200, 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	grid_deinit(&grid);
	return 0;
}

static int cells(char32_t glyph)
{
	int count = 0;
	for (int x = 0; x < grid.width; x++)
		count += grid_cell(&grid, x, 0)->c == glyph;
	return count;
}

static struct slots slots_of(int max, int used, int leaked, int free)
{
	struct slots slots = {
		.max = max, .used_at_most = used, .free_at_least = free, .reserved = 3
	};
	slots.by_status[STATUS_LEAKED] = leaked;
	return slots;
}

static void check_slots(const struct slots *slots, int width, const int expected[4])
{
	static const char32_t glyphs[] = U"█▓░▒";
	grid_reset(&grid, 200, 2);
	gauge_slots(&grid, 3, 0, width, slots);
	for (int i = 0; i < 4; i++)
		assert_int_equal(cells(glyphs[i]), expected[i]);
	assert_int_equal(grid_cell(&grid, 2, 0)->c, ' ');
	assert_int_equal(grid_cell(&grid, 3 + width, 0)->c, ' ');
}

static void slots_have_their_share(void **state)
{
	(void)state;
	struct slots slots = slots_of(25, 18, 4, 4);
	check_slots(&slots, 25, (const int[]){ 14, 4, 4, 3 });
	check_slots(&slots, 50, (const int[]){ 28, 8, 8, 6 });
	slots = slots_of(25, 25, 0, 0);
	check_slots(&slots, 20, (const int[]){ 20, 0, 0, 0 });
	slots = slots_of(100, 0, 0, 97);
	check_slots(&slots, 100, (const int[]){ 0, 0, 97, 3 });
}

/* One leaked slot of a thousand gets a cell, and the bar keeps its length. */
static void what_is_there_is_seen(void **state)
{
	(void)state;
	struct slots slots = slots_of(1000, 500, 1, 497);
	for (int width = 4; width <= 150; width++) {
		grid_reset(&grid, 200, 2);
		gauge_slots(&grid, 0, 0, width, &slots);
		assert_int_equal(cells(U'▓') >= 1 && cells(U'█') >= 1 && cells(U'░') >= 1 &&
				cells(U'▒') >= 1,
			1);
		assert_int_equal(cells(U'▓') + cells(U'█') + cells(U'░') + cells(U'▒'), width);
	}
}

static void what_is_not_known_is_not_drawn(void **state)
{
	(void)state;
	struct slots slots = slots_of(-1, -1, -1, -1);
	check_slots(&slots, 20, (const int[]){ 0, 0, 0, 0 });
	slots = slots_of(25, -1, -1, -1);
	check_slots(&slots, 20, (const int[]){ 0, 0, 0, 0 });
	slots = slots_of(25, 3, 0, 19);
	check_slots(&slots, 0, (const int[]){ 0, 0, 0, 0 });
}

static void styles_differ_by_glyphs_too(void **state)
{
	(void)state;
	struct slots slots = slots_of(25, 18, 4, 4);
	gauge_slots(&grid, 0, 0, 25, &slots);
	assert_int_equal(grid_cell(&grid, 0, 0)->style, STYLE_USED);
	assert_int_equal(grid_cell(&grid, 14, 0)->style, STYLE_USED_LEAKED);
	assert_int_equal(grid_cell(&grid, 18, 0)->style, STYLE_FREE);
	assert_int_equal(grid_cell(&grid, 22, 0)->style, STYLE_RESERVED);
}

static void draw_history(const struct history *history, enum gauge_what what)
{
	grid_reset(&grid, 200, 2);
	gauge_history(
		&grid, (struct rect){ 0, 0, 10, 1 }, history, what, 8, NOW, 100 * USEC_PER_SEC);
}

static void check_bars(const char32_t *expected)
{
	for (int x = 0; x < 10; x++)
		assert_int_equal(grid_cell(&grid, x, 0)->c, expected[x]);
}

static void time_runs_to_the_right(void **state)
{
	(void)state;
	struct history history = { .count = 0 };
	static const struct history_sample samples[] = {
		{ NOW - 500 * USEC_PER_SEC, 8, 8 }, /* too old */
		{ NOW - 75 * USEC_PER_SEC, 1, 0 },
		{ NOW - 35 * USEC_PER_SEC, 4, 2 },
		{ NOW - 34 * USEC_PER_SEC, 3, 1 },
		{ NOW - 1 * USEC_PER_SEC, 8, 0 },
	};
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		history_add(&history, samples[i]);
	draw_history(&history, GAUGE_USED);
	check_bars(U"  ▁▁▁▁▄▄▄█");
	assert_int_equal(grid_cell(&grid, 6, 0)->style, STYLE_USED);
	draw_history(&history, GAUGE_LEAKED);
	check_bars(U"      ▂▂▂ ");
	assert_int_equal(grid_cell(&grid, 6, 0)->style, STYLE_USED_LEAKED);
	draw_history(&history, GAUGE_BOTH);
	check_bars(U"  ▁▁▁▁▄▄▄█");
	assert_int_equal(grid_cell(&grid, 5, 0)->style, STYLE_USED);
	assert_int_equal(grid_cell(&grid, 6, 0)->style, STYLE_USED_LEAKED);
}

static void an_unknown_moment_is_a_gap(void **state)
{
	(void)state;
	struct history history = { .count = 0 };
	history_add(&history, (struct history_sample){ NOW - 55 * USEC_PER_SEC, 8, 0 });
	history_add(&history, (struct history_sample){ NOW - 45 * USEC_PER_SEC, -1, -1 });
	history_add(&history, (struct history_sample){ NOW - 5 * USEC_PER_SEC, 99, 0 });
	draw_history(&history, GAUGE_USED);
	check_bars(U"    █    █");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(slots_have_their_share),
		TEST(what_is_there_is_seen),
		TEST(what_is_not_known_is_not_drawn),
		TEST(styles_differ_by_glyphs_too),
		TEST(time_runs_to_the_right),
		TEST(an_unknown_moment_is_a_gap),
	};
	return cmocka_run_group_tests_name("gauge", tests, NULL, NULL);
}
