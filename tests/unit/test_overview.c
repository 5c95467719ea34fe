/* The overview: which server comes first, and what its rows show at each size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/server_row.h"
#include "sample.h"
#include "screen_text.h"
#include "view/help.h"
#include "view/overview.h"
#include "view/overview_view.h"
#include "view/screen.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

#define MOST 64

static struct assessment *assessments[MOST];
static struct server_row rows[MOST];
static size_t n_rows;
static struct overview overview;
static struct ui_state ui;
static struct grid grid;

/* A server by the name of the configuration; NULL: it has none. */
static struct assessment *add(const char *name, enum sample_kind kind)
{
	struct assessment *assessment = sample_assessment(kind);
	assessment->server.name = name;
	assessments[n_rows++] = assessment;
	return assessment;
}

/* All slots are counted anew, so many of them free and so many leaked. */
static struct assessment *add_slots(const char *name, int free, int leaked)
{
	struct assessment *assessment = add(name, SAMPLE_EMPTY);
	assessment->slots.max = 25;
	assessment->slots.reserved = 3;
	assessment->slots.used = assessment->slots.used_at_most = 22 - free;
	assessment->slots.free = assessment->slots.free_at_least = free;
	assessment->slots.by_status[STATUS_LEAKED] = leaked;
	return assessment;
}

static void update(int min_free)
{
	for (size_t i = 0; i < n_rows; i++)
		server_row_update(&rows[i], assessments[i], min_free);
	overview.n_rows = n_rows;
}

static int set_up(void **state)
{
	(void)state;
	ui_init(&ui, screen_keys, n_screen_keys);
	overview_init(&overview, rows, MOST);
	ui.overview = &overview;
	ui.now = SAMPLE_NOW;
	ui_push(&ui, &overview_view);
	grid_init(&grid);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_rows; i++) {
		server_row_deinit(&rows[i]);
		assessment_free(assessments[i]);
	}
	n_rows = 0;
	overview_deinit(&overview);
	ui_deinit(&ui);
	grid_deinit(&grid);
	return 0;
}

/* A frame as the dashboard draws it; the caller frees the text. */
static char *draw(int width, int height)
{
	overview_settle(&overview, &ui);
	struct ui_shown shown = screen_build(NULL, NULL, &ui, NULL, width, height, &grid);
	ui_note_shown(&ui, &shown);
	return screen_text(&grid);
}

static void frame(int width, int height)
{
	free(draw(width, height));
}

static void assert_order(const char *names)
{
	char text[1024] = "";
	overview_settle(&overview, &ui);
	for (size_t i = 0; i < overview.n_list; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			rows[overview.list[i]].name);
	assert_string_equal(text, names);
}

static void what_needs_a_person_comes_first(void **state)
{
	(void)state;
	add_slots("fine", 12, 0);
	add("new", SAMPLE_CONNECTING);
	add_slots("waits", 12, 0)->limits.transaction = 0;
	add_slots("leaks", 12, 1);
	add_slots("leaks-more", 12, 5);
	add_slots("short", 2, 0);
	add_slots("shorter", 1, 0);
	add_slots("late", 12, 0)->server.status = SERVER_STALE;
	add("full", SAMPLE_FULL);
	add("dead", SAMPLE_REFUSED);
	((struct backend *)assessments[2]->activity->backends)[0].wait_event_type = "Lock";
	update(0);
	assert_order("dead full late shorter short leaks-more leaks waits new fine");
}

static void few_is_a_tenth_or_what_was_asked_for(void **state)
{
	(void)state;
	add_slots("a", 3, 0);
	update(0);
	assert_int_equal(rows[0].need, NEED_NOTHING);
	update(3);
	assert_int_equal(rows[0].need, NEED_NOTHING);
	update(4);
	assert_int_equal(rows[0].need, NEED_ROOM);
	/* a role may have less room than its server */
	struct slot_limit limit = { SLOT_LIMIT_ROLE, "app", 20, 19, 19 };
	assessments[0]->slot_limits = &limit;
	assessments[0]->n_slot_limits = 1;
	update(0);
	assert_int_equal(rows[0].need, NEED_ROOM);
	assert_int_equal(rows[0].room, 1);
	CLEANUP(cleanup_free) char *text = draw(120, 24);
	assert_non_null(strstr(text, "1 free (role)"));
}

/* A row says what a person has to do there, at each size. */
static void a_password_is_wanted_on_its_row(void **state)
{
	(void)state;
	static const int widths[] = { 40, 80, 120 };
	add("locked", SAMPLE_REFUSED)->server.status = SERVER_DENIED;
	assessments[0]->server.error = "fe_sendauth: no password supplied";
	update(0);
	for (int asks = 0; asks < 2; asks++) {
		rows[0].asks_password = asks;
		for (size_t i = 0; i < 3; i++) {
			CLEANUP(cleanup_free) char *text = draw(widths[i], 24);
			const char *words = "password: Enter";
			assert_int_equal(strstr(text, words) != NULL, asks);
			assert_int_equal(strstr(text, "not let in") == NULL, asks);
		}
	}
	/* what the next step is, where nobody is asked */
	rows[0].asks_password = false;
	assessments[0]->server.hint = "try -W";
	CLEANUP(cleanup_free) char *text = draw(200, 36);
	assert_non_null(strstr(text, "no password supplied → try -W"));
}

static void a_pause_is_said(void **state)
{
	(void)state;
	add_slots("a", 12, 0);
	update(0);
	for (int paused = 0; paused < 2; paused++) {
		ui.paused = paused;
		for (int width = 30; width <= 120; width += 10) {
			CLEANUP(cleanup_free) char *text = draw(width, 24);
			assert_int_equal(strstr(text, "paused") != NULL, paused);
		}
	}
}

/* What was not seen is not called well. */
static void what_is_not_known_is_not_well(void **state)
{
	(void)state;
	static const enum sample_kind unknown[] = { SAMPLE_FULL, SAMPLE_REFUSED,
		SAMPLE_CONNECTING };
	for (size_t i = 0; i < 3; i++)
		add("a", unknown[i]);
	update(0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(rows[i].waiting, -1);
		assert_int_equal(rows[i].transaction, -1);
		assert_int_equal(rows[i].leaked, -1);
	}
	add("part", SAMPLE_SCREEN)->slots.by_status[STATUS_LEAKED] = 0;
	assessments[3]->limits.transaction = INT64_MAX;
	update(0);
	assert_true(rows[3].is_partly_hidden);
	CLEANUP(cleanup_free) char *text = draw(120, 24);
	assert_non_null(strstr(text, "partly hidden"));
	assert_non_null(strstr(text, "≥ 0"));
	assert_null(strstr(text, " ok"));
	assert_null(strstr(text, "all well"));
}

static void names_are_in_the_order_of_people(void **state)
{
	(void)state;
	add_slots("app10", 12, 0);
	add_slots("app9", 12, 0);
	add_slots("app1", 12, 0);
	update(0);
	assert_order("app1 app9 app10");
	overview_sort_by(&overview, OVERVIEW_NAME);
	overview_toggle_reverse(&overview);
	assert_order("app10 app9 app1");
}

static void each_column_sorts(void **state)
{
	(void)state;
	add_slots("a", 12, 0);
	add_slots("b", 9, 3);
	add_slots("c", 10, 1);
	update(0);
	overview_sort_by(&overview, OVERVIEW_USED);
	assert_order("b c a");
	overview_sort_by(&overview, OVERVIEW_FREE);
	assert_order("b c a");
	overview_sort_by(&overview, OVERVIEW_LEAKED);
	assert_order("b c a");
	overview_sort_by(&overview, OVERVIEW_LEAKED);
	assert_order("a c b");
	assessments[0]->sources[SOURCE_ACTIVITY].taken_at -= 20 * USEC_PER_SEC;
	overview_sort_by(&overview, OVERVIEW_AGE);
	assert_order("a b c");
	/* s goes to columns that are in sight */
	frame(40, 12);
	for (int i = 0; i < OVERVIEW_COLUMNS; i++) {
		overview_next_sort(&overview, &ui);
		assert_true(ui.shown.columns & 1u << overview.sort);
	}
}

/* Enter opens what the user saw, whatever the order has become. */
static void the_cursor_stays_on_its_server(void **state)
{
	(void)state;
	add_slots("a", 12, 0);
	add_slots("b", 12, 0);
	add_slots("c", 12, 0);
	update(0);
	frame(80, 24);
	assert_int_equal(overview_current(&overview, &ui), 0);
	/* nobody has moved it: it stays on the first row */
	assessments[2]->slots.by_status[STATUS_LEAKED] = 4;
	update(0);
	assert_int_equal(overview_current(&overview, &ui), 0);
	frame(80, 24);
	assert_int_equal(overview_current(&overview, &ui), 2);
	/* now a is under it, and stays so */
	ui_move(&ui, 1);
	assert_int_equal(overview_current(&overview, &ui), 0);
	frame(80, 24);
	assessments[1]->server.status = SERVER_REFUSED;
	update(0);
	frame(80, 24);
	assert_int_equal(overview.cursor, 2);
	assert_int_equal(overview_current(&overview, &ui), 0);
	/* a dialog has a cursor of its own */
	ui_push(&ui, &help_view);
	assert_int_equal(overview_current(&overview, &ui), 0);
	frame(80, 24);
	ui_move(&ui, 5);
	frame(80, 24);
	ui_pop(&ui);
	assert_int_equal(overview_current(&overview, &ui), 0);
	frame(80, 24);
	assert_int_equal(overview_current(&overview, &ui), 0);
	/* a server that is filtered out is not opened */
	filter_set(&ui.filter, "zebra");
	CLEANUP(cleanup_free) char *text = draw(80, 24);
	assert_int_equal(overview_current(&overview, &ui), SIZE_MAX);
	assert_non_null(strstr(text, "No server matches the filter."));
}

static void the_filter_knows_names_places_and_states(void **state)
{
	(void)state;
	add_slots("billing", 12, 0);
	add("shop", SAMPLE_REFUSED);
	add("stock", SAMPLE_FULL);
	update(0);
	filter_set(&ui.filter, "BILL");
	assert_order("billing");
	filter_set(&ui.filter, "no answer");
	assert_order("shop");
	filter_set(&ui.filter, "!s 127.0.0.1:5432/app");
	assert_order("billing");
	filter_set(&ui.filter, "full");
	assert_order("stock");
}

/* --- drawing --- */

static void assert_shows(int width, int height, const char *words, bool there)
{
	CLEANUP(cleanup_free) char *text = draw(width, height);
	if (!strstr(text, words) == there)
		fail_msg("\"%s\" is%s at %d×%d:\n%s", words, there ? " not" : "", width, height,
			text);
}

static void add_usual(void)
{
	add_slots("billing", 12, 0);
	add("shop", SAMPLE_REFUSED);
	add("stock", SAMPLE_FULL);
	add("voices", SAMPLE_SCREEN);
	add("late", SAMPLE_STALE);
	add_slots("short", 1, 0);
	update(0);
}

static const int sizes[][2] = { { 30, 8 }, { 40, 12 }, { 80, 24 }, { 120, 36 }, { 200, 50 } };

/* The need in words and as a sign: nothing depends on colours. */
static void each_size_says_what_is_wrong(void **state)
{
	(void)state;
	add_usual();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int width = sizes[i][0], height = sizes[i][1];
		assert_shows(width, height, "6 servers", true);
		assert_shows(width, height, "! shop ", true);
		assert_shows(width, height, "no answer", true);
		assert_shows(width, height, "! stock ", true);
		assert_shows(width, height, "FULL", true);
		assert_shows(width, height, "✗ voices", true);
		assert_shows(width, height, "1 free", true);
	}
	assert_shows(80, 24, "18/25", true);
	assert_shows(80, 24, "IN TX", true);
	assert_shows(80, 24, "✗ ≥ 4", true);
	assert_shows(120, 36, "live", true);
	assert_shows(120, 36, "14s", true);
	/* the one that is full, of which nothing else is known */
	assert_shows(80, 24, "! stock    ████████", true);
	assert_shows(200, 50, "Connection refused", true);
	assert_shows(120, 36, "2 full", true);
	assert_shows(120, 36, "1 not reached", true);
}

/* Its row has no numbers, so that there is room for the words; names are whole first. */
static void why_a_server_is_not_reached_is_said(void **state)
{
	(void)state;
	struct assessment *down = add("billing-production", SAMPLE_REFUSED);
	down->server.error = "Connection refused";
	down->server.hint = "is the server running there? try -h and -p";
	add_slots("shop", 12, 0);
	update(0);
	assert_shows(60, 24, "  Connection refused  ", true);
	assert_shows(80, 24, " ! billing-production  Connection refused  ", true);
	assert_shows(80, 24, "no answer", true);
	assert_shows(120, 24,
		"production  Connection refused → is the server running there? try -h and -p   ",
		true);
	assert_shows(200, 50, "no answer · Connection refused → is the server running", true);
}

static void the_list_scrolls(void **state)
{
	(void)state;
	static char names[50][8];
	for (int i = 0; i < 50; i++) {
		snprintf(names[i], sizeof(names[i]), "db%02d", i + 1);
		add_slots(names[i], 12, 0);
	}
	update(0);
	assert_shows(80, 24, "✓ all well", true);
	assert_shows(80, 24, "1–19 of 50", true);
	assert_shows(80, 24, "db01", true);
	ui_end(&ui);
	assert_shows(80, 24, "db50", true);
	assert_shows(80, 24, "32–50 of 50", true);
	ui_page(&ui, -1);
	frame(80, 24);
	assert_int_equal(overview.cursor, 31);
	ui_home(&ui);
	assert_shows(80, 24, "db01", true);
}

/* The last one in the row. */
static int column_of(char32_t c, int y)
{
	int x = grid.width - 1;
	while (x > 0 && grid_cell(&grid, x, y)->c != c)
		x--;
	return x;
}

/* No name moves what is beside it. */
static void hostile_names_stay_in_their_column(void **state)
{
	(void)state;
	static const char *const names[] = {
		"a name that is much longer than the column of names can ever become on a screen",
		"漢字かな交じり文の長いサーバー名です",
		"e\xcc\x81\xcc\x82\xcc\x83 stacked",
		"%s%n $(id)",
		"",
	};
	size_t count = sizeof(names) / sizeof(names[0]);
	for (size_t i = 0; i < count; i++)
		add_slots(names[i], 12, 1);
	add(NULL, SAMPLE_HOSTILE);
	update(0);
	for (int width = 60; width <= 210; width++) {
		frame(width, 20);
		int first = 0;
		for (int y = 4; y < 4 + (int)count; y++) {
			int x = column_of(U'l', y);
			first = first ? first : x;
			assert_int_equal(grid_cell(&grid, x - 2, y)->c, U'1');
			assert_int_equal(x, first);
			assert_true(x + 6 < width);
		}
	}
}

/* Of servers without a name the end differs. */
static void places_keep_their_end(void **state)
{
	(void)state;
	add(NULL, SAMPLE_EMPTY)->server.host = "a-rather-long-name-of-a-host.example.com";
	update(0);
	assert_shows(80, 24, ":5432/app ", true);
	assert_shows(40, 12, "5432/app ", true);
}

static void every_size_is_drawn(void **state)
{
	(void)state;
	add_usual();
	for (int width = 0; width <= 130; width++)
		for (int height = 0; height <= 30; height++)
			frame(width, height);
	overview.n_rows = 0;
	frame(80, 24);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_needs_a_person_comes_first),
		TEST(few_is_a_tenth_or_what_was_asked_for),
		TEST(a_password_is_wanted_on_its_row),
		TEST(a_pause_is_said),
		TEST(what_is_not_known_is_not_well),
		TEST(names_are_in_the_order_of_people),
		TEST(each_column_sorts),
		TEST(the_cursor_stays_on_its_server),
		TEST(the_filter_knows_names_places_and_states),
		TEST(each_size_says_what_is_wrong),
		TEST(why_a_server_is_not_reached_is_said),
		TEST(the_list_scrolls),
		TEST(hostile_names_stay_in_their_column),
		TEST(places_keep_their_end),
		TEST(every_size_is_drawn),
	};
	setlocale(LC_ALL, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
