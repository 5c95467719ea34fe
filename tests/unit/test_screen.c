/* The view at every size: no word is cut without …, nothing overlaps, and the slots and leaks are
 * shown as long as there is room for two numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/emergency.h"
#include "model/history.h"
#include "sample.h"
#include "screen_text.h"
#include "view/details.h"
#include "view/emergency_view.h"
#include "view/help.h"
#include "view/log_view.h"
#include "view/plan.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

struct fixture {
	struct assessment *assessment;
	struct history history;
	struct ui_state ui;
	struct details details;
	struct action *plan;
	struct grid grid;
};

static void set_up(struct fixture *fixture, enum sample_kind kind)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->assessment = sample_assessment(kind);
	sample_history(&fixture->history);
	ui_init(&fixture->ui, screen_keys, n_screen_keys);
	grid_init(&fixture->grid);
	fixture->plan = screen_plan(fixture->assessment, false);
}

static void tear_down(struct fixture *fixture)
{
	action_free(fixture->plan);
	grid_deinit(&fixture->grid);
	ui_deinit(&fixture->ui);
	details_deinit(&fixture->details);
	assessment_free(fixture->assessment);
}

static void build(struct fixture *fixture, int width, int height)
{
	details_settle(&fixture->details, &fixture->ui, fixture->assessment);
	screen_show(fixture->assessment, &fixture->history, &fixture->ui, fixture->plan, width,
		height, &fixture->grid);
}

static char *text_at(struct fixture *fixture, int width, int height)
{
	build(fixture, width, height);
	return screen_text(&fixture->grid);
}

/* --- words --- */

#define MOST_WORDS 4096

struct words {
	char *text; /* cut up */
	const char *words[MOST_WORDS];
	size_t count;
};

static void split(char *text, struct words *words)
{
	words->text = text;
	for (char *rest = text, *word; (word = strsep(&rest, " \n"));)
		if (*word && words->count < MOST_WORDS)
			words->words[words->count++] = word;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The words are sorted. */
static bool has(const struct words *words, const char *word)
{
	return bsearch(&word, words->words, words->count, sizeof(word), compare) != NULL;
}

/* The beginning of a longer word: "connecti", but not "old" of "old:". */
static bool is_beginning(const struct words *whole, const char *word)
{
	size_t length = strlen(word);
	for (size_t i = 0; i < whole->count; i++)
		if (strncmp(whole->words[i], word, length) == 0 &&
			isalnum((unsigned char)whole->words[i][length]))
			return true;
	return false;
}

static bool has_letter(const char *word)
{
	for (; *word; word++)
		if (isalpha((unsigned char)*word))
			return true;
	return false;
}

/* The shorter forms on a narrow screen: also whole words. */
static bool is_short_form(const char *word)
{
	static const char *const forms[] = { "in" };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(forms[i], word) == 0)
			return true;
	/* an age: 7m of 7m12s; 18/25 */
	return isdigit((unsigned char)word[0]);
}

static void assert_no_word_is_cut(
	struct fixture *fixture, int width, int height, const struct words *whole)
{
	struct words words = { 0 };
	split(text_at(fixture, width, height), &words);
	for (size_t i = 0; i < words.count; i++) {
		const char *word = words.words[i];
		if (!has_letter(word) || strstr(word, "…") || has(whole, word) ||
			is_short_form(word) || !is_beginning(whole, word))
			continue;
		build(fixture, width, height);
		char *text = screen_text(&fixture->grid);
		fail_msg("at %d×%d \"%s\" is no whole word:\n%s", width, height, word, text);
	}
	free(words.text);
}

/* All words that it can show: those of a screen with room for everything. */
static void collect(struct fixture *fixture, struct words *whole)
{
	split(text_at(fixture, 500, 200), whole);
	qsort(whole->words, whole->count, sizeof(whole->words[0]), compare);
}

static void no_word_is_cut(void **state)
{
	(void)state;
	static const enum sample_kind kinds[] = { SAMPLE_SCREEN, SAMPLE_STALE, SAMPLE_FULL,
		SAMPLE_REFUSED, SAMPLE_CONNECTING, SAMPLE_EMPTY };
	static const int heights[] = { 1, 3, 8, 12, 16, 24, 36 };
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct fixture fixture;
		struct words whole = { 0 };
		set_up(&fixture, kinds[k]);
		collect(&fixture, &whole);
		for (int width = 10; width <= 200; width += width < 130 ? 3 : 17)
			for (size_t h = 0; h < sizeof(heights) / sizeof(heights[0]); h++)
				assert_no_word_is_cut(&fixture, width, heights[h], &whole);
		free(whole.text);
		tear_down(&fixture);
	}
}

/* --- cells --- */

/* Each wide character has its right half and no other cell in it; there are
 * no control characters. */
static void assert_sound(const struct grid *grid)
{
	for (int y = 0; y < grid->height; y++) {
		for (int x = 0; x < grid->width; x++) {
			const struct cell *cell = grid_cell(grid, x, y);
			bool half = cell->width == 0;
			if (half)
				assert_true(x > 0 && grid_cell(grid, x - 1, y)->width == 2);
			else
				assert_true(cell->c >= 0x20 && (cell->c < 0x7f || cell->c >= 0xa0));
			if (cell->width == 2)
				assert_true(x + 1 < grid->width &&
					grid_cell(grid, x + 1, y)->width == 0);
			assert_true(!half || cell->c == 0);
		}
	}
}

static const struct view *const pages[] = { NULL, &help_view, &plan_view, &results_view,
	&details_view };

static void open_page(struct fixture *fixture, const struct view *view)
{
	ui_pop_all(&fixture->ui);
	ui_notice(&fixture->ui, STYLE_CAUTION, "漢字 \xe2\x90\x9b 漢字かな e\u0301 x");
	if (view == &details_view && fixture->assessment->n_connections)
		details_open(&fixture->details, &fixture->ui, &fixture->assessment->connections[0]);
	else if (view && view != &details_view)
		ui_push(&fixture->ui, view);
}

/* Every sample on every screen at every size, in Unicode and in ASCII. */
static void cells_are_sound(void **state)
{
	(void)state;
	static const int sizes[] = { 0, 1, 2, 3, 5, 8, 13, 21, 30, 40, 60, 80, 120 };
	const size_t n_sizes = sizeof(sizes) / sizeof(sizes[0]);
	for (int kind = 0; kind < SAMPLE_COUNT; kind++) {
		struct fixture fixture;
		set_up(&fixture, (enum sample_kind)kind);
		for (size_t p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
			open_page(&fixture, pages[p]);
			for (size_t i = 0; i < n_sizes * n_sizes; i++) {
				fixture.ui.ascii = i % 3 == 0;
				build(&fixture, sizes[i / n_sizes], sizes[i % n_sizes] / 2);
				assert_sound(&fixture.grid);
			}
		}
		tear_down(&fixture);
	}
}

static void ascii_is_ascii(void **state)
{
	(void)state;
	for (int kind = 0; kind < SAMPLE_COUNT; kind++) {
		struct fixture fixture;
		set_up(&fixture, (enum sample_kind)kind);
		fixture.ui.ascii = true;
		for (size_t p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
			open_page(&fixture, pages[p]);
			char *text = text_at(&fixture, 120, 36);
			for (const char *c = text; *c; c++)
				assert_true((unsigned char)*c < 0x80);
			free(text);
		}
		tear_down(&fixture);
	}
}

/* --- what matters --- */

static void the_numbers_are_reported_last(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, SAMPLE_SCREEN);
	for (int width = 5; width <= 200; width += width < 60 ? 1 : 11) {
		for (int height = 1; height <= 50; height += height < 25 ? 1 : 5) {
			char *text = text_at(&fixture, width, height);
			/* 18 of 25, 4 leaked; only the leaked where there is room
			 * for one number. */
			assert_non_null(strstr(text, "4"));
			if (height > 1 || width >= 8)
				assert_non_null(strstr(text, "18"));
			if (width >= 24 && height >= 2)
				assert_non_null(strstr(text, "4 leaked"));
			free(text);
		}
	}
	tear_down(&fixture);
}

/* The plan says what is lost, and leaves out the application first. Where it has no column for
 * that, the line below says it of the session under the cursor. */
static void a_narrow_plan_says_what_is_lost(void **state)
{
	(void)state;
	static const int widths[] = { 60, 80, 100, 120 };
	struct fixture fixture;
	set_up(&fixture, SAMPLE_SCREEN);
	ui_push(&fixture.ui, &plan_view);
	fixture.ui.cursor = 3;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		char *text = text_at(&fixture, widths[i], 24);
		if (!strstr(text, "loses: open tr"))
			fail_msg("at %d columns:\n%s", widths[i], text);
		free(text);
	}
	tear_down(&fixture);
}

static void a_log_is_read_to_its_end(void **state)
{
	(void)state;
	struct fixture fixture;
	struct log_view log = { 0 };
	set_up(&fixture, SAMPLE_SCREEN);
	log_view_open(&log, &fixture.ui, "Actions", "nothing has been ended or cancelled yet");
	CLEANUP(cleanup_free) char *empty = text_at(&fixture, 30, 12);
	assert_non_null(strstr(empty, "│ nothing has been ended   │\n"));
	assert_non_null(strstr(empty, "│ or cancelled yet         │\n"));
	log_view_add(&log, SAMPLE_NOW, STYLE_TEXT,
		"kill leaked: backend 9912  terminated,\nidle in transaction too long, app on app, "
		"of python3 main.py");
	CLEANUP(cleanup_free) char *text = text_at(&fixture, 80, 24);
	assert_non_null(strstr(
		text, "  kill leaked: backend 9912 terminated, idle in transaction too    │\n"));
	assert_non_null(strstr(text, "│   long, app on app, of python3 main.py "));
	log_view_deinit(&log);
	tear_down(&fixture);
}

/* The rows fill the rest: n more lines show n more rows. */
static void a_taller_screen_shows_more(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, SAMPLE_SCREEN);
	size_t before = 0;
	for (int height = 1; height <= 60; height++) {
		build(&fixture, 100, height);
		/* Where the header gets more lines, it takes some of them. */
		assert_true(fixture.ui.shown.page_rows + 8 >= before);
		before = fixture.ui.shown.page_rows;
	}
	assert_true(before > 26);
	tear_down(&fixture);
}

static void many_connections_are_scrolled(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, SAMPLE_SCREEN);
	assessment_free(fixture.assessment);
	fixture.assessment = sample_many(2000, 50);
	build(&fixture, 120, 36);
	ui_end(&fixture.ui);
	char *text = text_at(&fixture, 120, 36);
	assert_non_null(strstr(text, "of 2050"));
	assert_int_equal(fixture.ui.row, 2049);
	assert_true(fixture.ui.shown.top + fixture.ui.shown.page_rows >= 2050);
	free(text);
	ui_home(&fixture.ui);
	build(&fixture, 120, 36);
	assert_int_equal(fixture.ui.shown.top, 0);
	tear_down(&fixture);
}

static void an_empty_server_says_what_comes_next(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, SAMPLE_SCREEN);
	fixture.assessment->n_connections = 1;
	fixture.assessment->connections[0].verdict.protection = PROTECTION_OWN;
	CLEANUP(cleanup_free) char *live = text_at(&fixture, 40, 12);
	assert_non_null(strstr(live, "Nobody else is connected."));
	assert_non_null(strstr(live, "Start the application to see it."));
	assert_non_null(strstr(live, "dbtop --demo shows leaks."));
	fixture.ui.replay.count = 2; /* the past: nothing can be started */
	CLEANUP(cleanup_free) char *replayed = text_at(&fixture, 40, 12);
	assert_non_null(strstr(replayed, "Nobody else is connected."));
	assert_null(strstr(replayed, "Start the application"));
	tear_down(&fixture);
}

/* All words of the text are there in their order, whatever is between them. */
static void assert_words(const char *screen, const char *text)
{
	struct words words = { 0 };
	CLEANUP(cleanup_free) char *seen = strdup(screen), *wanted = strdup(text);
	size_t at = 0;
	split(seen, &words);
	for (char *rest = wanted, *word; (word = strsep(&rest, " "));) {
		while (at < words.count && strcmp(words.words[at], word) != 0)
			at++;
		if (at == words.count)
			fail_msg("no \"%s\" of \"%s\" in:\n%s", word, text, screen);
	}
}

/* The sentence that says why nothing is known is longer than the line, and is not cut. */
static void a_narrow_emergency_says_all_it_knows(void **state)
{
	(void)state;
	struct action none = { 0 };
	struct emergency emergency = {
		.gone = &none,
		.held = &none,
		.phase = EMERGENCY_DONE,
		.counted = -1,
		.cannot = "could not connect again, so that what is left is not known: timeout",
	};
	struct fixture fixture;
	set_up(&fixture, SAMPLE_SCREEN);
	fixture.ui.emergency = &emergency;
	ui_push(&fixture.ui, &emergency_run_view);
	static const int widths[] = { 20, 40, 80 };
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		CLEANUP(cleanup_free) char *text = text_at(&fixture, widths[i], 24);
		assert_words(text, emergency.cannot);
	}
	tear_down(&fixture);
}

/* What cannot be stopped from here is a command for each other machine, shown whole. */
static void an_emergency_names_the_command_of_each_machine(void **state)
{
	(void)state;
	struct action none = { 0 };
	struct findings_host hosts[] = {
		{ "db-1", 12, "ssh -t db-1 dbtop -h 10.0.0.5 -p 5432 -U dbtop -d app --emergency" },
		{ "deploy@10.0.0.7", 1,
			"ssh -t deploy@10.0.0.7 dbtop -h 10.0.0.5 -p 5432 -U dbtop -d app "
			"--emergency" }
	};
	struct emergency emergency = { .gone = &none, .hosts = hosts, .n_hosts = 2 };
	struct fixture fixture;
	set_up(&fixture, SAMPLE_SCREEN);
	fixture.ui.emergency = &emergency;
	ui_push(&fixture.ui, &emergency_view);
	for (int width = 60; width <= 120; width += 20) {
		CLEANUP(cleanup_free) char *text = text_at(&fixture, width, 24);
		const char *heading = strstr(text, "on other machines, to be run there");
		assert_non_null(heading);
		for (size_t i = 0; i < emergency.n_hosts; i++)
			assert_words(heading, hosts[i].command);
		assert_words(heading, "12 sessions");
	}
	tear_down(&fixture);
}

/* The JSON's names are not for people. */
static void a_status_is_plain_words(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, SAMPLE_FULL);
	fixture.assessment->server.status = SERVER_ROLE_LIMIT;
	CLEANUP(cleanup_free) char *role = text_at(&fixture, 120, 24);
	assert_non_null(strstr(role, "role limit  "));
	assert_null(strstr(role, "role_limit"));
	fixture.assessment->server.status = SERVER_DATABASE_LIMIT;
	CLEANUP(cleanup_free) char *database = text_at(&fixture, 120, 24);
	assert_non_null(strstr(database, "database limit  "));
	tear_down(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_word_is_cut),
		cmocka_unit_test(cells_are_sound),
		cmocka_unit_test(ascii_is_ascii),
		cmocka_unit_test(the_numbers_are_reported_last),
		cmocka_unit_test(a_narrow_plan_says_what_is_lost),
		cmocka_unit_test(a_narrow_emergency_says_all_it_knows),
		cmocka_unit_test(an_emergency_names_the_command_of_each_machine),
		cmocka_unit_test(a_log_is_read_to_its_end),
		cmocka_unit_test(a_taller_screen_shows_more),
		cmocka_unit_test(many_connections_are_scrolled),
		cmocka_unit_test(an_empty_server_says_what_comes_next),
		cmocka_unit_test(a_status_is_plain_words),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
