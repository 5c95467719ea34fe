/* Every screen, in every theme, at every size: no word is cut, nothing leaves its box, the way back
 * is visible, all colours are the theme's and legible, leaks differ by more than colour, and the
 * screen is the same when it is drawn afresh. The screens are scenes; test_sizes.c tests the
 * program's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "config/theme.h"
#include "look.h"
#include "term.h"

static const char *stage;

/* --- the scenes, and what each has to show --- */

/* A page over the table has its title in its frame, and the way back among its keys; at 40 columns
 * as well, unless `narrow` says what stands for it there. */
static const struct page {
	const char *scene;
	const char *title; /* NULL: the main page */
	const char *says;  /* everywhere; NULL */
	bool leaks;        /* the table below is the sample with its four leaks */
} pages[] = {
	{ "dashboard", NULL, "4 leaked", true },
	{ "pools", NULL, "4 leaked", true },
	{ "filter", NULL, "worker", false },
	{ "filtered", NULL, "4 leaked", false },
	{ "nothing", NULL, "4 leaked", false },
	{ "tagged", NULL, "4 leaked", true },
	{ "paused", NULL, "4 leaked", true },
	{ "theme", NULL, "4 leaked", true },
	{ "replay", NULL, "4 leaked", true },
	{ "stale", NULL, "4 leaked", true },
	{ "full", NULL, "The server is full", false },
	{ "refused", NULL, "Nobody answers at", false },
	{ "connecting", NULL, "Connecting to", false },
	{ "denied", NULL, "The server at", false },
	{ "empty", NULL, "dbtop", false },
	{ "help", "Help", "End connections", false },
	{ "plan", "End 4 leaked", "9801", false },
	{ "results", "done: 2 of 3 ended", "9801", false },
	{ "details", "backend 9801", "LEAKED, proven", false },
	{ "pooled", "backend 9912", "LEAKED,", false },
	{ "locks", "Locks: 3 wait", "9912", false },
	{ "actions", "Actions", "kill leaked", false },
	{ "messages", "Messages", "nothing has been logged", false },
	{ "proxy", "Proxy", "serving", false },
	{ "launch", "Restart the proxy", "cloud-sql-proxy", false },
	{ "launched", "Restarting the proxy", "812", false },
	{ "emergency", "Emergency: stop 2", "st", false },
	{ "emergency-elsewhere", "Emergency: stop", "st", false },
	{ "emergency-run", "Emergency: stopping", "stop the processes", false },
	{ "emergency-done", "Emergency: done", "1 connection left", false },
	{ "clearing", "Remove 2 stats", "worker", false },
	{ "cleared", "done: 1 of 2", "worker", false },
	{ "watch", "watched python3", "PASS", false },
	{ "watch-failed", "watched python3", "FAIL", false },
	{ "watch-armed", "watching python3", "armed", false },
	{ "quit", "watching python3", "Quit, and stop watching", false },
	{ "password", "Password", "for user dbtop", false },
	{ "overview", NULL, "no answer", false },
	{ "overview-help", "Help", NULL, false },
};
#define PAGES (sizeof(pages) / sizeof(pages[0]))

static const int sizes[][2] = { { 80, 24 }, { 120, 36 }, { 200, 50 }, { 40, 12 }, { 30, 8 } };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* --- the stage --- */

struct player {
	struct term *term;
	const struct page *page;
	int width, height;
	int frame; /* the last one */
};

/* "777;help 80x24 17" */
static bool has_drawn(struct term *term, void *data)
{
	const struct player *player = data;
	char scene[64];
	int width, height, frame;
	return sscanf(term_command(term), "777;%63s %dx%d %d", scene, &width, &height, &frame) ==
		4 &&
		strcmp(scene, player->page->scene) == 0 && width == player->width &&
		height == player->height && frame > player->frame;
}

static int last_frame(const struct term *term)
{
	const char *number = strrchr(term_command(term), ' ');
	return number ? atoi(number) : 0;
}

static void await(struct player *player)
{
	assert_true(term_wait(player->term, has_drawn, player, player->page->scene));
	player->frame = last_frame(player->term);
}

static void resize(struct player *player, int width, int height)
{
	if (player->width == width && player->height == height)
		return;
	player->width = width;
	player->height = height;
	term_resize(player->term, width, height);
	await(player);
}

static void turn_to(struct player *player, size_t page)
{
	player->page = &pages[page];
	term_press(player->term, "Tab");
	await(player);
}

static struct term_screen *drawn_afresh(struct player *player)
{
	term_press(player->term, "Ctrl-l");
	await(player);
	return term_copy(player->term);
}

/* --- checks --- */

static void complain(const struct player *player, const char *what, const char *word)
{
	term_print(player->term, player->page->scene);
	fail_msg("%s at %d×%d: %s%s%s", player->page->scene, player->width, player->height, what,
		word ? ": " : "", word ? word : "");
}

static void check_fresh(struct player *player, const struct term_screen *screen)
{
	CLEANUP(cleanup_free) struct term_screen *afresh = drawn_afresh(player);
	int x, y;
	if (!term_screens_equal(screen, afresh, &x, &y))
		complain(player, "differs from what is drawn afresh", NULL);
}

static void check_words(const struct player *player, const struct term_screen *screen,
	const struct look_words *whole)
{
	CLEANUP(cleanup_free) char *word = look_cut_word(screen, whole);
	if (word)
		complain(player, "no whole word", word);
}

static void check_box(const struct player *player, const struct term_screen *screen)
{
	CLEANUP(cleanup_free) char *fault = look_find_box_fault(screen, player->page->title);
	if (fault)
		complain(player, fault, NULL);
}

/* From 40 columns on the main page shows the keys that always matter. */
static void check_keys(const struct player *player, const struct term_screen *screen)
{
	static const char *const notices[] = { "filter", "theme" };
	CLEANUP(cleanup_free) char *line = term_screen_line(screen, screen->height - 1);
	if (player->page->title || player->width < 40)
		return;
	for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++)
		if (strcmp(player->page->scene, notices[i]) == 0)
			return;
	if (!strstr(line, " q") || !strstr(line, "?"))
		complain(player, "no keys", line);
}

static void check_text(const struct player *player, const struct term_screen *screen)
{
	CLEANUP(cleanup_free) char *text = term_screen_text(screen);
	if (player->page->says && !strstr(text, player->page->says))
		complain(player, "does not say", player->page->says);
}

/* Without its colours each row that is leaked can be told: by its mark and by its word. */
static void check_leaks(const struct player *player, const struct term_screen *screen,
	const struct look_palette *palette)
{
	const struct theme_style *style = &palette->theme.styles[STYLE_LEAKED];
	bool is_stale = strcmp(player->page->scene, "stale") == 0;
	static const char *const leaked[] = { " 9801 ", " 9802 ", " 9912 ", " 9770 " };
	size_t found = 0;
	for (int y = 1; player->page->leaks && y < screen->height; y++) {
		CLEANUP(cleanup_free) char *line = term_screen_line(screen, y);
		for (size_t i = 0; i < sizeof(leaked) / sizeof(leaked[0]); i++) {
			if (!strstr(line, leaked[i]))
				continue;
			found++;
			const struct term_cell *cell = term_cell(screen, 1, y);
			uint32_t mark = cell->chars[0];
			bool tagged = term_cell(screen, 0, y)->chars[0] != ' ';
			if ((mark != 0x2717 && mark != 'x' && !tagged) || !strstr(line, "LEAKED"))
				complain(player, "leaked is not told", line);
			/* what is old steps back */
			if (!is_stale && !tagged && (cell->fg != style->fg || !cell->bold))
				complain(player, "leaked is not the theme's", line);
		}
	}
	if (player->page->leaks && found < 3)
		complain(player, "the leaked are not in sight", NULL);
}

/* --- themes --- */

#define TRUE_COLORS (1 << 24)

static const struct theme_case {
	const char *label, *theme, *locale, *type;
	const char *environment[2];
	int colors; /* what there is to be seen of the theme */
} cases[] = {
	{ "default", "default", NULL, NULL, { NULL }, 256 },
	{ "light", "light", NULL, NULL, { NULL }, 256 },
	{ "solarized", "solarized", NULL, NULL, { NULL }, 256 },
	{ "high-contrast", "high-contrast", NULL, NULL, { NULL }, 256 },
	{ "colour-blind-safe", "colour-blind-safe", NULL, NULL, { NULL }, 256 },
	{ "mono", "mono", NULL, NULL, { NULL }, 256 },
	{ "true colour", "solarized", NULL, "xterm", { "COLORTERM=truecolor" }, TRUE_COLORS },
	{ "8 colours", "light", NULL, "xterm", { NULL }, 8 },
	{ "NO_COLOR", "default", NULL, NULL, { "NO_COLOR=1" }, 0 },
	/* libvterm 0.1 puts what follows a repeated character (REP) into the next line: a type
	 * without it */
	{ "ASCII", "default", "C", "screen-256color", { NULL }, 256 },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static void check_looks(const struct player *player, const struct term_screen *screen,
	const struct look_palette *palette)
{
	CLEANUP(cleanup_free) char *fault = look_find_fault(screen, palette);
	if (fault)
		complain(player, "colours", fault);
}

static void check_all(
	struct player *player, const struct look_palette *palette, const struct look_words *whole)
{
	CLEANUP(cleanup_free) struct term_screen *screen = term_copy(player->term);
	check_text(player, screen);
	check_words(player, screen, whole);
	check_box(player, screen);
	check_keys(player, screen);
	check_leaks(player, screen, palette);
	check_looks(player, screen, palette);
	check_fresh(player, screen);
}

/* All that a page ever says: on a screen with room for everything. */
static struct look_words *all_words(struct player *player)
{
	resize(player, 400, 150);
	CLEANUP(cleanup_free) struct term_screen *screen = term_copy(player->term);
	return look_words_new(screen);
}

static void play(const struct theme_case *theme)
{
	struct theme parsed;
	struct player player = { .page = &pages[0], .width = 400, .height = 150 };
	assert_int_equal(theme_builtin(theme->theme, &parsed), 0);
	struct look_palette palette = look_palette_of(&parsed, theme->colors);
	player.term = term_start(&(struct term_options){ .width = player.width,
					 .height = player.height,
					 .locale = theme->locale,
					 .type = theme->type,
					 .environment = theme->environment },
		(const char *const[]){ stage, pages[0].scene, theme->theme, NULL });
	await(&player);
	for (size_t p = 0; p < PAGES; p++) {
		if (p)
			turn_to(&player, p);
		struct look_words *whole = all_words(&player);
		for (size_t s = 0; s < SIZES; s++) {
			resize(&player, sizes[s][0], sizes[s][1]);
			check_all(&player, &palette, whole);
		}
		look_words_free(whole);
	}
	/* the stage has no scene that nobody looked at */
	turn_to(&player, 0);
	term_end(player.term);
}

static void every_page_in_every_theme_at_every_size(void **state)
{
	play(*state);
}

/* All of them, or under a slow tool so many percent ($DBTOP_TEST_ROUNDS), one at least. */
static size_t count_cases(void)
{
	const char *percent = getenv("DBTOP_TEST_ROUNDS");
	size_t count = percent ? CASES * (size_t)atoi(percent) / 100 : CASES;
	return count < 1 ? 1 : count < CASES ? count : CASES;
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[CASES];
	if (argc != 2)
		return 2;
	size_t count = count_cases();
	stage = argv[1];
	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){ cases[i].label,
			every_page_in_every_theme_at_every_size, NULL, NULL, (void *)&cases[i] };
	return _cmocka_run_group_tests("matrix", tests, count, NULL, NULL);
}
