/* The program's own pages on a live server, at every size: what test_matrix.c asks of the stage's,
 * of those that a recording does not have. In one theme: the colours are no page's own. */
#include "set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/theme.h"
#include "look.h"

#define THEME "solarized"

/* A refresh between two looks is no fault: what it leaves behind would be there again. */
#define ATTEMPTS 5

static const struct page {
	const char *keys;  /* from the main page */
	const char *title; /* NULL: the main page */
} pages[] = {
	{ "Home", NULL },
	{ "l", "Locks: 1 wait, 1 holds them up" },
	{ "P", "Proxy" },
	{ "Home Down K", "End 1 connection?" },
	{ "k", "End 2 leaked connections?" },
	{ "E", "Emergency: stop" },
	{ "Home w", "watching live_client" },
};
#define PAGES (sizeof(pages) / sizeof(pages[0]))

static const int sizes[][2] = { { 80, 24 }, { 120, 36 }, { 200, 50 }, { 40, 12 }, { 30, 8 } };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void complain(struct term *term, const struct page *page, const char *what)
{
	const char *name = page->title ? page->title : "the main page";
	term_print(term, name);
	fail_msg("%s: %s", name, what);
}

static bool is_as_drawn_afresh(struct term *term, const struct term_screen *screen)
{
	term_press(term, "Ctrl-l");
	assert_true(term_settle(term));
	CLEANUP(cleanup_free) struct term_screen *afresh = term_copy(term);
	int x, y;
	if (term_screens_equal(screen, afresh, &x, &y))
		return true;
	for (; y < screen->height; y++)
		if (!look_time_went_by(screen, afresh, y))
			return false;
	return true;
}

/* The caller frees what is wrong with it. */
static char *find_fault(const struct term_screen *screen, const struct page *page,
	const struct look_palette *palette, const struct look_words *whole)
{
	char *fault = look_find_fault(screen, palette);
	if (!fault)
		fault = look_cut_word(screen, whole);
	return fault ? fault : look_find_box_fault(screen, page->title);
}

static void check(struct term *term, const struct page *page, const struct look_palette *palette,
	const struct look_words *whole)
{
	bool is_fresh = false;
	for (int i = 0; i < ATTEMPTS && !is_fresh; i++) {
		assert_true(term_settle(term));
		CLEANUP(cleanup_free) struct term_screen *screen = term_copy(term);
		CLEANUP(cleanup_free) char *fault = find_fault(screen, page, palette, whole);
		if (fault)
			complain(term, page, fault);
		is_fresh = is_as_drawn_afresh(term, screen);
	}
	if (!is_fresh)
		complain(term, page, "differs from what is drawn afresh");
}

static void look_at(struct term *term, const struct page *page, const struct look_palette *palette)
{
	term_resize(term, 400, 150);
	assert_true(term_settle(term));
	term_press(term, page->keys);
	assert_true(term_wait_text(term, page->title ? page->title : "2 leaked"));
	assert_true(term_settle(term));
	CLEANUP(cleanup_free) struct term_screen *screen = term_copy(term);
	/* all that it ever says: there is room for everything */
	struct look_words *whole = look_words_new(screen);
	for (size_t i = 0; i < SIZES; i++) {
		term_resize(term, sizes[i][0], sizes[i][1]);
		check(term, page, palette, whole);
	}
	look_words_free(whole);
	if (!page->title)
		return;
	term_press(term, "Esc");
	assert_true(term_settle(term));
	term_resize(term, 400, 150);
	assert_true(term_wait_gone(term, "┌ "));
}

static void live_pages_at_every_size(void **state)
{
	(void)state;
	struct theme theme;
	assert_int_equal(theme_builtin(THEME, &theme), 0);
	const struct look_palette palette = look_palette_of(&theme, 256);
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "application_name=queue");
	PGconn *holder = live_connect(conninfo), *waiter = live_connect(conninfo);
	/* neither leaked nor at rest: what they do lasts as long as the test */
	live_exec(holder, "CREATE TABLE outbox (id int)");
	assert_true(PQsendQuery(holder, "BEGIN; LOCK TABLE outbox; SELECT pg_sleep(600)"));
	live_wait_sessions(
		server, "wait_event = 'PgSleep' AND application_name = 'queue'", 1, 10000);
	assert_true(PQsendQuery(waiter, "SELECT count(*) FROM outbox"));
	live_wait_sessions(server, "wait_event_type = 'Lock'", 1, 10000);
	/* no configuration of the machine's says what there is on the proxy's page */
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "config.yaml", "proxy: {health: \"\"}\n");
	struct term *term = set_open(120, 36, "-t", THEME, "-c", config, NULL);
	for (size_t i = 0; i < PAGES; i++)
		look_at(term, &pages[i], &palette);
	set_quit(term);
	PQfinish(holder);
	PQfinish(waiter);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(live_pages_at_every_size),
	};
	return SET_GROUP("sizes", tests);
}
