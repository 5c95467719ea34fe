/* Which session blocks which: the tree, and its screen. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/lock.h"
#include "sample.h"
#include "screen_text.h"
#include "view/details.h"
#include "view/lock_tree.h"
#include "view/locks.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

#define BLOCKERS_MAX 4

/* Makes a row. The list of blockers ends with 0; if it begins with −1 the lock is granted. */
struct lock_row {
	int32_t pid, blockers[BLOCKERS_MAX];
	const char *object;
};

static void set_rows(struct assessment *assessment, const struct lock_row *rows, size_t n_rows)
{
	struct lock_table *table = lock_table_new();
	table->taken_at = SAMPLE_NOW - USEC_PER_SEC;
	table->items = arena_array(table->arena, n_rows, sizeof(*table->items));
	for (size_t i = 0; i < n_rows; i++) {
		struct lock *lock = &table->items[table->count++];
		*lock = (struct lock){
			.pid = rows[i].pid,
			.granted = rows[i].blockers[0] < 0,
			.type = "relation",
			.mode = "AccessExclusiveLock",
			.object = rows[i].object,
			.since = SAMPLE_NOW - 60 * USEC_PER_SEC,
			.blockers = rows[i].blockers,
		};
		while (!lock->granted && lock->n_blockers < BLOCKERS_MAX &&
			rows[i].blockers[lock->n_blockers])
			lock->n_blockers++;
	}
	lock_table_unref(assessment->locks);
	assessment->locks = table;
}

#define SET_ROWS(assessment, rows) set_rows(assessment, rows, sizeof(rows) / sizeof((rows)[0]))

static void check_node(
	const struct lock_tree *tree, size_t i, int32_t pid, int depth, size_t n_blocked)
{
	assert_true(i < tree->count);
	assert_int_equal(tree->nodes[i].pid, pid);
	assert_int_equal(tree->nodes[i].depth, depth);
	assert_int_equal(tree->nodes[i].n_blocked, n_blocked);
}

static struct assessment *assessment;
static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	assessment = sample_assessment(SAMPLE_SCREEN);
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assessment_free(assessment);
	arena_free(arena);
	return 0;
}

/* A queue is one chain: a session that waits for two is below the later one. */
static void test_queue(void **state)
{
	static const struct lock_row rows[] = {
		{ 9963, { 9912, 9913 }, "outbox" },
		{ 9913, { 9912 }, "outbox" },
		{ 9912, { -1 }, "outbox" },
	};
	(void)state;
	SET_ROWS(assessment, rows);
	struct lock_tree tree = lock_tree_build(arena, assessment);
	assert_int_equal(tree.count, 3);
	assert_int_equal(tree.n_waiting, 2);
	assert_int_equal(tree.n_roots, 1);
	check_node(&tree, 0, 9912, 0, 2);
	check_node(&tree, 1, 9913, 1, 1);
	check_node(&tree, 2, 9963, 2, 0);
	assert_int_equal(tree.nodes[2].n_others, 1);
	assert_int_equal(tree.nodes[2].above, 1);
	assert_non_null(tree.nodes[1].held);
	assert_null(tree.nodes[2].held);
	assert_non_null(tree.nodes[0].connection);
}

static void test_two_trees_worst_first(void **state)
{
	static const struct lock_row rows[] = {
		{ 9960, { 9770 }, "a" },
		{ 9961, { 9912 }, "b" },
		{ 9962, { 9912 }, "b" },
	};
	(void)state;
	SET_ROWS(assessment, rows);
	struct lock_tree tree = lock_tree_build(arena, assessment);
	assert_int_equal(tree.count, 5);
	check_node(&tree, 0, 9912, 0, 2);
	check_node(&tree, 1, 9961, 1, 0);
	check_node(&tree, 2, 9962, 1, 0);
	check_node(&tree, 3, 9770, 0, 1);
	assert_false(tree.nodes[0].last);
	assert_false(tree.nodes[1].last);
	assert_true(tree.nodes[2].last);
	assert_true(tree.nodes[3].last);
}

/* A deadlock has no root: one session is made the root, each is shown once, and the
 * tree is finite. */
static void test_circle(void **state)
{
	static const struct lock_row rows[] = {
		{ 9960, { 9961 }, "a" },
		{ 9961, { 9962 }, "b" },
		{ 9962, { 9960 }, "c" },
		{ 9963, { 9963 }, "itself" },
	};
	(void)state;
	SET_ROWS(assessment, rows);
	struct lock_tree tree = lock_tree_build(arena, assessment);
	assert_int_equal(tree.count, 4);
	assert_int_equal(tree.n_roots, 1);
	assert_true(tree.nodes[0].in_circle);
	assert_int_equal(tree.nodes[0].n_blocked, 2);
}

/* A chain that is longer than the screen is wide. */
static void test_deep_chain(void **state)
{
	enum { LENGTH = 300 };
	static struct lock_row rows[LENGTH];
	(void)state;
	for (int i = 0; i < LENGTH; i++)
		rows[i] = (struct lock_row){ 1000 + i, { 1001 + i }, "x" };
	SET_ROWS(assessment, rows);
	struct lock_tree tree = lock_tree_build(arena, assessment);
	assert_int_equal(tree.count, LENGTH + 1);
	check_node(&tree, 0, 1000 + LENGTH, 0, LENGTH);
	assert_int_equal(tree.nodes[LENGTH].depth, LOCK_DEPTH_MAX);
}

/* A session that is newer than the table has the pid now. */
static void test_younger_session(void **state)
{
	static const struct lock_row rows[] = { { 9913, { 9912 }, "outbox" } };
	(void)state;
	SET_ROWS(assessment, rows);
	sample_find(assessment, 9912)->first_seen = assessment->locks->taken_at + 1;
	struct lock_tree tree = lock_tree_build(arena, assessment);
	check_node(&tree, 0, 9912, 0, 1);
	assert_null(tree.nodes[0].connection);
	assert_non_null(tree.nodes[1].connection);
}

static size_t cursor;

static char *draw(const struct view *view, int width, int height)
{
	struct ui_state ui;
	struct details details = { 0 };
	struct grid grid;
	ui_init(&ui, screen_keys, n_screen_keys);
	grid_init(&grid);
	if (view == &details_view) {
		details_open(&details, &ui, sample_find(assessment, 9913));
		details_settle(&details, &ui, assessment);
	} else {
		ui_push(&ui, view);
	}
	ui.cursor = cursor;
	ui.met = (locks_at(assessment, cursor) != NULL) << 1;
	screen_show(assessment, NULL, &ui, NULL, width, height, &grid);
	char *text = screen_text(&grid);
	details_deinit(&details);
	ui_deinit(&ui);
	grid_deinit(&grid);
	return text;
}

static void check_offers(size_t line, bool offers)
{
	cursor = line;
	char *text = draw(&locks_view, 160, 36);
	cursor = 0;
	if (!strstr(text, "Enter details") == offers)
		fail_msg("Enter is%s offered in\n%s", offers ? " not" : "", text);
	free(text);
}

static void check_shows(const struct view *view, int width, int height, const char *wanted)
{
	char *text = draw(view, width, height);
	if (!strstr(text, wanted))
		fail_msg("\"%s\" is not in\n%s", wanted, text);
	free(text);
}

static void test_page(void **state)
{
	static const struct lock_row rows[] = {
		{ 9913, { 9912 }, "outbox" },
		{ 9963, { 9912 }, "outbox" },
		{ 77, { 0 }, "outbox" },
		{ 9912, { -1 }, "outbox" },
	};
	(void)state;
	SET_ROWS(assessment, rows);
	check_shows(&locks_view, 160, 36, "Locks: 3 wait, 1 holds them up");
	check_shows(&locks_view, 160, 36, "9912  python3 main.py · LEAKED");
	check_shows(&locks_view, 160, 36, "│  UPDATE outbox SET sent_at");
	check_shows(&locks_view, 160, 36,
		"├─ 9913  python3 main.py · waits 1m00s · AccessExclusiveLock on outbox · held:");
	check_shows(&locks_view, 160, 36, "└─ 9963  node server.js");
	check_shows(&locks_view, 160, 36, "asked 1.0s ago");
	check_shows(&locks_view, 40, 12, "9912");
	check_shows(&locks_view, 30, 8, "9912");
	assert_int_equal(locks_at(assessment, 0)->backend->pid, 9912);
	assert_int_equal(locks_at(assessment, 1)->backend->pid, 9912);
	assert_int_equal(locks_at(assessment, 2)->backend->pid, 9913);
	assert_null(locks_at(assessment, 4));
	assert_null(locks_at(assessment, 99));
}

/* Enter works only for a session that is shown to our role. */
static void test_enter_is_offered_where_it_opens_something(void **state)
{
	static const struct lock_row rows[] = {
		{ 9913, { 9912 }, "outbox" },
		{ 4711, { 9912 }, "outbox" },
	};
	(void)state;
	check_offers(0, false);
	set_rows(assessment, NULL, 0);
	check_offers(0, false);
	SET_ROWS(assessment, rows);
	check_offers(0, true);
	/* the statement of the root, then the two that wait for it */
	check_offers(1, true);
	check_offers(2, false);
	check_offers(3, true);
	/* The list got shorter: the cursor is on its last line. */
	check_offers(9, true);
	((struct lock_table *)assessment->locks)->error = "canceling statement due to timeout";
	check_offers(0, false);
}

/* Up and down move the cursor, and stop at the last line. */
static void test_keys_move_the_cursor(void **state)
{
	static const struct lock_row rows[] = { { 9913, { 9912 }, "outbox" } };
	struct ui_state ui;
	struct grid grid;
	(void)state;
	SET_ROWS(assessment, rows);
	ui_init(&ui, screen_keys, n_screen_keys);
	grid_init(&grid);
	ui_push(&ui, &locks_view);
	screen_show(assessment, NULL, &ui, NULL, 120, 36, &grid);
	ui_move(&ui, 1);
	assert_int_equal(ui.cursor, 1);
	ui_end(&ui);
	assert_int_equal(ui.cursor, ui.shown.dialog_lines - 1);
	assert_true(ui.shown.dialog_lines > 2);
	ui_deinit(&ui);
	grid_deinit(&grid);
}

static void test_details_show_locks(void **state)
{
	static const struct lock_row rows[] = {
		{ 9913, { 9912 }, "outbox" },
		{ 9963, { 9913 }, "carts" },
		{ 9913, { -1 }, "carts" },
	};
	(void)state;
	SET_ROWS(assessment, rows);
	((struct lock_table *)assessment->locks)->subject = 9913;
	check_shows(
		&details_view, 120, 60, "waits for      AccessExclusiveLock on outbox, for 1m00s");
	check_shows(&details_view, 120, 60, "blocked by     9912 app/4312/1, idle in transaction");
	check_shows(&details_view, 120, 60, "blocks         9963 web");
	check_shows(&details_view, 120, 60, "holds          AccessExclusiveLock on carts");
}

static void test_no_rows(void **state)
{
	(void)state;
	check_shows(&locks_view, 120, 36, "Asking the server …");
	check_shows(&locks_view, 30, 8, "Asking the server …");
	set_rows(assessment, NULL, 0);
	check_shows(&locks_view, 120, 36, "Nobody waits for a lock.");
	((struct lock_table *)assessment->locks)->error = "canceling statement due to timeout";
	check_shows(&locks_view, 120, 36, "canceling statement due to timeout");
	check_shows(&details_view, 120, 60, "failed: canceling statement due to timeout");
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_trees_worst_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_circle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deep_chain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_younger_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_enter_is_offered_where_it_opens_something, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys_move_the_cursor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_details_show_locks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_rows, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
