/* A recording on the screen: the player's keys, the table's, the mouse, the window's title. Without
 * a server, so that each picture is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "live.h"
#include "look.h"
#include "model/assessment.h"
#include "report/snapshot.h"
#include "sample.h"
#include "set.h"
#include "term.h"

static char path[] = "/tmp/dbtop-test-XXXXXX";

#define SNAPSHOTS 5

/* The sample, two seconds apart each, with one connection more each time. */
static int write_recording(void **state)
{
	(void)state;
	const struct snapshot_options options = { 0 };
	CLEANUP(cleanup_file) FILE *file = fdopen(mkstemp(path), "w");
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	if (!file)
		return -1;
	size_t all = assessment->n_connections;
	for (size_t i = 0; i < SNAPSHOTS; i++) {
		assessment->n_connections = all - SNAPSHOTS + 1 + i;
		assessment->slots.used = (int)assessment->n_connections;
		assessment->slots.used_at_most = assessment->slots.used;
		if (snapshot_print(assessment, &options, file) < 0)
			return -1;
		assessment->now += 2 * USEC_PER_SEC;
		((struct activity *)assessment->activity)->taken_at = assessment->now;
	}
	fputs("{\"schema\":1,\"taken", file);
	assessment_free(assessment);
	return 0;
}

static int remove_recording(void **state)
{
	(void)state;
	return unlink(path);
}

static struct term *start(int width, int height)
{
	struct term *term = term_start(&(struct term_options){ .width = width, .height = height },
		(const char *const[]){ live_dbtop_path(), "--replay", path, NULL });
	assert_true(term_wait_text(term, "replay"));
	return term;
}

static void press(struct term *term, const char *keys, const char *then)
{
	term_press(term, keys);
	assert_true(term_wait_text(term, then));
}

static void the_player_obeys(void **state)
{
	(void)state;
	struct term *term = start(120, 36);
	press(term, "{", "▮▮ replay  1/5");
	press(term, ".", "2/5");
	press(term, ". .", "4/5");
	press(term, ",", "3/5");
	press(term, "}", "5/5");
	press(term, "[", "1/5");
	press(term, "]", "5/5");
	press(term, "{", "1/5");
	press(term, "+", "1/5");
	press(term, "p", "▶ replay 2×");
	assert_true(term_wait_text(term, "5/5")); /* it plays to the end, and stops */
	assert_true(term_wait_text(term, "▮▮ replay"));
	press(term, "p", "▶ replay 2×"); /* and begins again */
	set_quit(term);
}

static void nothing_can_be_done_to_it(void **state)
{
	(void)state;
	struct term *term = start(120, 36);
	press(term, "{", "▮▮ replay");
	static const char *const keys[] = { "k", "K", "c", "l" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		term_press(term, "Down Down");
		assert_true(term_wait_gone(term, "a recording"));
		press(term, keys[i], "a recording");
	}
	assert_false(term_shows(term, "kill"));
	set_quit(term);
}

static void the_table_is_searched_and_moved(void **state)
{
	(void)state;
	struct term *term = start(80, 24);
	press(term, "{", "▮▮ replay");
	term_press(term, "/");
	term_send(term, "worker.py\r");
	assert_true(term_wait_gone(term, "node server.js"));
	press(term, "Esc", "node server.js");
	press(term, "n F", "following backend 980");
	press(term, "L", "‹BACKEND");
	term_press(term, "H");
	assert_true(term_wait_gone(term, "‹BACKEND"));
	term_press(term, "/");
	term_send(term, "zebra\r");
	assert_true(term_wait_gone(term, "node server.js"));
	press(term, "Esc", "node server.js");
	press(term, "n", "not found: zebra");
	set_quit(term);
}

static void the_mouse_is_obeyed(void **state)
{
	(void)state;
	int x, y;
	struct term *term = start(120, 36);
	press(term, "{", "▮▮ replay");
	assert_int_equal(term_mouse(term), 1);
	assert_true(term_find(term, "FOR", &x, &y));
	term_click(term, x, y, 1);
	assert_true(term_wait_text(term, "FOR↓"));
	term_click(term, x, y, 1);
	assert_true(term_wait_text(term, "FOR↑"));
	assert_true(term_find(term, "9912", &x, &y));
	term_click(term, x, y, 1);
	term_settle(term);
	term_click(term, x, y, 1);
	assert_true(term_wait_text(term, "backend 9912"));
	press(term, "Esc", "replay");
	assert_true(term_wait_gone(term, "backend 9912"));
	assert_true(term_wait_text(term, "? help"));
	assert_true(term_find(term, "? help", &x, &y));
	term_click(term, x, y, 1);
	assert_true(term_wait_text(term, "┌ Help"));
	/* nothing can be started in the past */
	assert_true(term_shows(term, "the local proxy, as it was"));
	assert_false(term_shows(term, "start or restart"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "┌ Help"));
	set_quit(term);
}

static void the_title_says_how_many(void **state)
{
	(void)state;
	struct term *term = start(120, 36);
	press(term, "{", "▮▮ replay");
	assert_non_null(strstr(term_title(term), "dbtop 4 leaked, 14/25"));
	set_quit(term);
}

static void themes_follow_each_other(void **state)
{
	(void)state;
	static const char *const names[] = { "light", "solarized", "high-contrast",
		"colour-blind-safe", "mono", "default" };
	struct term *term = start(80, 24);
	press(term, "{", "▮▮ replay");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[64];
		snprintf(text, sizeof(text), "theme %s (", names[i]);
		press(term, "t", text);
		press(term, "Ctrl-l", text);
	}
	/* what it said goes with the next key */
	press(term, "S", "q quit");
	set_quit(term);
}

/* The whole program in each theme, at each size: test_matrix.c plays the pages it cannot open. */
static void check_screen(struct term *term, const struct look_palette *palette, const char *box)
{
	struct look_box found;
	int x, y;
	assert_true(term_settle(term));
	CLEANUP(cleanup_free) struct term_screen *screen = term_copy(term);
	CLEANUP(cleanup_free) char *fault = look_find_fault(screen, palette);
	if (fault)
		fail_msg("%s", fault);
	assert_int_equal(look_find_box(screen, &found), box != NULL);
	assert_true(!box || (look_box_is_closed(screen, &found) && term_shows(term, box)));
	term_press(term, "Ctrl-l");
	assert_true(term_settle(term));
	CLEANUP(cleanup_free) struct term_screen *afresh = term_copy(term);
	if (!term_screens_equal(screen, afresh, &x, &y)) {
		term_print(term, "drawn afresh");
		fail_msg("garbled at column %d, row %d", x, y);
	}
}

/* The first `count` of them. */
static void look_at_pages(struct term *term, const struct look_palette *palette, size_t count)
{
	static const char *const pages[][2] = { { "?", "┌ Help" }, { "Enter", "┌ backend" },
		{ "a", "┌ Actions" }, { "m", "┌ Messages" }, { "P", "┌ Proxy" } };
	press(term, "Home Down", "4 leaked");
	check_screen(term, palette, NULL);
	for (size_t i = 0; i < count; i++) {
		press(term, pages[i][0], pages[i][1]);
		check_screen(term, palette, pages[i][1]);
		term_press(term, "Esc");
		assert_true(term_wait_gone(term, pages[i][1]));
	}
}

static void every_theme_at_every_size(void **state)
{
	(void)state;
	static const char *const themes[] = { "default", "light", "solarized", "high-contrast",
		"colour-blind-safe", "mono" };
	static const int sizes[][2] = { { 120, 36 }, { 80, 24 }, { 200, 50 }, { 40, 12 },
		{ 30, 8 } };
	for (size_t i = 0; i < sizeof(themes) / sizeof(themes[0]); i++) {
		struct theme theme;
		assert_int_equal(theme_builtin(themes[i], &theme), 0);
		const struct look_palette palette = look_palette_of(&theme, 256);
		struct term *term = term_start(&(struct term_options){ .width = 120, .height = 36 },
			(const char *const[]){
				live_dbtop_path(), "--replay", path, "-t", themes[i], NULL });
		press(term, "}", "▮▮ replay");
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			term_resize(term, sizes[s][0], sizes[s][1]);
			look_at_pages(term, &palette, i ? 2 : 5);
		}
		set_quit(term);
	}
}

static void a_file_that_is_none_is_refused(void **state)
{
	(void)state;
	int status;
	struct term *term = term_start(&(struct term_options){ .width = 80, .height = 24 },
		(const char *const[]){ live_dbtop_path(), "--replay", "meson.build", NULL });
	assert_true(term_wait_exit(term, &status));
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_true(term_wait_text(term, "meson.build: line 1: not JSON"));
	term_end(term);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, term_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(the_player_obeys),
		TEST(nothing_can_be_done_to_it),
		TEST(the_table_is_searched_and_moved),
		TEST(the_mouse_is_obeyed),
		TEST(the_title_says_how_many),
		TEST(themes_follow_each_other),
		TEST(every_theme_at_every_size),
		TEST(a_file_that_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, write_recording, remove_recording);
}
