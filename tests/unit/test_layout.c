/* The columns' positions: which are left out first, that none overlap, and how far they can be
 * moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdbool.h>
#include <string.h>

#include "model/assessment.h"
#include "sample.h"
#include "widgets/layout.h"
#include "widgets/settle.h"
#include "widgets/ui.h"

static struct assessment *assessment;
static struct ui_state ui;

static int set_up(void **state)
{
	(void)state;
	assessment = sample_assessment(SAMPLE_SCREEN);
	ui_init(&ui, NULL, 0);
	settle_rows(&ui, assessment);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ui_deinit(&ui);
	assessment_free(assessment);
	return 0;
}

static struct layout lay(int width, enum grouping grouping, size_t pan)
{
	const struct layout_options options = {
		.grouping = grouping, .headings = true, .width = width, .pan = pan
	};
	return layout_columns(assessment, &ui.rows, &options);
}

static bool has(const struct layout *layout, enum column_id id)
{
	return layout->shown & 1u << id;
}

/* Columns are side by side with a gap, up to the last column but one of the screen. */
static void check_places(const struct layout *layout, int width)
{
	int x = LAYOUT_GUTTER;
	for (size_t i = 0; i < layout->n_slots; i++) {
		const struct slot *slot = &layout->slots[i];
		assert_int_equal(slot->x, x);
		assert_true(slot->width > 0);
		assert_true(slot->x + slot->width <= width - 1);
		assert_true(has(layout, slot->id));
		x += slot->width + LAYOUT_GAP;
	}
}

static void nothing_overlaps(void **state)
{
	(void)state;
	for (int grouping = 0; grouping < GROUPING_COUNT; grouping++)
		for (int width = 20; width <= 250; width++)
			for (size_t pan = 0; pan < 9; pan += 4) {
				struct layout layout = lay(width, (enum grouping)grouping, pan);
				check_places(&layout, width);
				if (layout.n_slots)
					assert_int_equal(layout.slots[0].id, COLUMN_BACKEND);
			}
}

/* The order in which columns are left out as the screen narrows. */
static void columns_go_in_order(void **state)
{
	(void)state;
	static const enum column_id order[] = { COLUMN_DATABASE, COLUMN_USER, COLUMN_CLIENT,
		COLUMN_APPLICATION };
	int gone_at[COLUMN_COUNT] = { 0 };
	for (int width = 30; width <= 250; width++) {
		struct layout layout = lay(width, GROUPING_FLAT, 0);
		for (size_t i = 0; i < COLUMN_COUNT; i++)
			if (!has(&layout, (enum column_id)i))
				gone_at[i] = width;
		assert_true(has(&layout, COLUMN_STATUS) && has(&layout, COLUMN_BACKEND));
		assert_true(width < 60 || has(&layout, COLUMN_QUERY));
	}
	for (size_t i = 1; i < sizeof(order) / sizeof(order[0]); i++)
		assert_true(gone_at[order[i - 1]] >= gone_at[order[i]]);
	assert_true(gone_at[COLUMN_CLIENT] < 160);
	assert_true(gone_at[COLUMN_CLIENT] >= 80);
}

/* Why a session is leaked matters more than its application's name. */
static void no_name_cuts_the_longest_reason(void **state)
{
	(void)state;
	const int longest = (int)strlen(reason_phrase(REASON_IDLE_IN_TRANSACTION_TOO_LONG));
	for (int width = 30; width <= 250; width++) {
		struct layout layout = lay(width, GROUPING_PROCESS, 0);
		if (has(&layout, COLUMN_APPLICATION))
			assert_true(layout.slots[layout.n_slots - 1].width >= longest);
	}
}

/* If QUERY has no room, PROCESS gets it: no half of the screen is empty. */
static void no_half_is_empty(void **state)
{
	(void)state;
	for (int width = 40; width <= 120; width++) {
		struct layout layout = lay(width, GROUPING_APPLICATION, 0);
		assert_true(has(&layout, COLUMN_QUERY) || has(&layout, COLUMN_PROCESS));
	}
}

static void more_to_the_right_is_reported(void **state)
{
	(void)state;
	struct layout narrow = lay(80, GROUPING_FLAT, 0), wide = lay(250, GROUPING_FLAT, 0);
	assert_true(narrow.right);
	assert_false(wide.right);
	assert_false(narrow.left || wide.left);
}

static void what_the_group_says_is_left_out(void **state)
{
	(void)state;
	struct layout by_process = lay(200, GROUPING_PROCESS, 0);
	struct layout by_application = lay(200, GROUPING_APPLICATION, 0);
	struct layout flat = lay(200, GROUPING_FLAT, 0);
	assert_false(has(&by_process, COLUMN_PROCESS));
	assert_true(has(&flat, COLUMN_PROCESS));
	assert_false(has(&by_application, COLUMN_APPLICATION));
	assert_true(has(&flat, COLUMN_APPLICATION));
}

static void the_users_choice_is_kept(void **state)
{
	(void)state;
	static const enum column_id chosen[] = { COLUMN_BACKEND, COLUMN_AGE, COLUMN_CLIENT };
	const struct layout_options options = {
		.grouping = GROUPING_PROCESS, .width = 60, .columns = chosen, .n_columns = 3
	};
	struct layout layout = layout_columns(assessment, &ui.rows, &options);
	assert_int_equal(layout.n_slots, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(layout.slots[i].id, chosen[i]);
	assert_false(layout.blanks);
	/* The last one gets the remaining width. */
	assert_int_equal(layout.slots[2].x + layout.slots[2].width, 59);
}

static void moving_ends(void **state)
{
	(void)state;
	struct layout still = lay(80, GROUPING_FLAT, 0), moved = lay(80, GROUPING_FLAT, 1);
	assert_true(still.most_pan > 0);
	assert_true(moved.left);
	assert_int_equal(moved.slots[0].id, still.slots[0].id);
	assert_int_not_equal(moved.slots[1].id, COLUMN_STATUS);
	struct layout far = lay(80, GROUPING_FLAT, 100000);
	struct layout end = lay(80, GROUPING_FLAT, moved.most_pan);
	assert_int_equal(far.n_slots, end.n_slots);
	assert_int_equal(far.skipped, end.skipped);
	assert_true(far.skipped > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_overlaps),
		TEST(columns_go_in_order),
		TEST(no_name_cuts_the_longest_reason),
		TEST(no_half_is_empty),
		TEST(more_to_the_right_is_reported),
		TEST(what_the_group_says_is_left_out),
		TEST(the_users_choice_is_kept),
		TEST(moving_ends),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
