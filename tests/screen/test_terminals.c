/* Any size, any terminal, any locale, and names that mean harm. */
#include "set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "term_internal.h"

/* What each size still says: how full, how many leaked; whose, where there is room. */
static const struct {
	int width, height;
	const char *shows[6];
} sizes[] = {
	{ 200, 50, { "7 of 25 used", "2 leaked", "LEAKED?", "live_client", "forgetful", "quit" } },
	{ 120, 36, { "7 of 25 used", "2 leaked", "LEAKED?", "live_client", "forgetful", "quit" } },
	{ 80, 24, { "7 of 25 used", "2 leaked", "LEAKED?", "live_client", "forgetful", "quit" } },
	{ 40, 12, { "7/25 used", "2 leaked", "LEAKED?", "live_client", " q" } },
	{ 30, 8, { "7/25 used", "2 leaked", "LEAKED?" } },
	{ 20, 4, { "7/25", "2 leaked" } },
	{ 10, 2, { "7/25", "2" } },
	{ 500, 200, { "7 of 25 used", "2 leaked", "LEAKED?", "live_client", "forgetful", "quit" } },
};

static void each_size_says_what_matters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct term *term = set_open(sizes[i].width, sizes[i].height, NULL);
		for (size_t s = 0; s < 6 && sizes[i].shows[s]; s++)
			assert_true(term_wait_text(term, sizes[i].shows[s]));
		set_quit(term);
	}
}

/* Too small for words: it lives, and takes keys. */
static void the_smallest_live(void **state)
{
	(void)state;
	static const int smallest[][2] = { { 1, 1 }, { 2, 1 }, { 1, 20 }, { 500, 1 }, { 5, 2 } };
	for (size_t i = 0; i < sizeof(smallest) / sizeof(smallest[0]); i++) {
		struct term *term = set_start(
			&(struct term_options){ .width = smallest[i][0], .height = smallest[i][1] },
			NULL, NULL);
		assert_true(term_settle(term));
		term_press(term, "k Esc ? Down Esc / x Esc Enter Esc Space s g");
		assert_true(term_settle(term));
		term_resize(term, 80, 24);
		assert_true(term_wait_text(term, "2 leaked"));
		set_quit(term);
	}
}

static void write_to(struct term *term, const char *bytes)
{
	term_show(term, bytes, strlen(bytes));
}

/* The end of a frame for the old size may reach a terminal that has grown. */
static void a_late_frame_leaves_no_scrolling_region(void **state)
{
	(void)state;
	struct term *term = set_open(80, 24, NULL);
	write_to(term, "\033[1;10r");
	term_press(term, "Ctrl-l");
	assert_true(term_settle(term));
	/* libvterm deletes a character only inside of the region */
	write_to(term, "\033[20;1HAB\033[20;1H\033[P");
	CLEANUP(cleanup_free) char *line = term_line(term, 19);
	assert_int_equal(line[0], 'B');
	set_quit(term);
}

static void no_color_is_no_color(void **state)
{
	(void)state;
	const char *const environment[] = { "NO_COLOR=1", NULL };
	struct term *term = set_open_in(
		&(struct term_options){ .width = 100, .height = 30, .environment = environment },
		NULL);
	bool bold = false, marked = false;
	for (int round = 0; round < 2; round++) {
		struct term_screen *screen = term_copy(term);
		for (int y = 0; y < screen->height; y++) {
			for (int x = 0; x < screen->width; x++) {
				const struct term_cell *cell = term_cell(screen, x, y);
				assert_int_equal(cell->fg, TERM_COLOR_DEFAULT);
				assert_int_equal(cell->bg, TERM_COLOR_DEFAULT);
				bold |= cell->bold;
				marked |= cell->reverse;
			}
		}
		free(screen);
		/* and of another page, with another theme */
		term_press(term, "t k");
		assert_true(term_wait_text(term, "End 2 leaked"));
	}
	/* what is leaked and where the cursor is can still be told */
	assert_true(bold);
	assert_true(marked);
	term_press(term, "Esc");
	set_quit(term);
}

static void colours_where_there_are(void **state)
{
	(void)state;
	struct term *term = set_open(100, 30, NULL);
	struct term_screen *screen = term_copy(term);
	int x, y;
	assert_true(term_find(term, "LEAKED?", &x, &y));
	const struct term_cell *cell = term_cell(screen, x, y);
	assert_true(cell->bold);
	assert_int_not_equal(cell->fg, TERM_COLOR_DEFAULT);
	free(screen);
	set_quit(term);
}

/* Whatever comes after the first frame changes it: a terminal that does not do what its type says
 * shows a mixture of both. So there are only types of terminals that wait in the last column until
 * the next character (xenl), as libvterm does; "ansi" has terminals that go on to the next line. */
static void known_terminals(void **state)
{
	(void)state;
	static const char *const types[] = { "xterm", "xterm-256color", "screen-256color",
		"tmux-256color", "linux", "vt100", "vt220", "rxvt" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct term *term = set_open_in(
			&(struct term_options){ .width = 80, .height = 24, .type = types[i] },
			NULL);
		assert_true(term_shows(term, "LEAKED?"));
		assert_true(term_shows(term, "7 of 25 used"));
		term_press(term, "k");
		assert_true(term_wait_text(term, "End 2 leaked connections?"));
		term_press(term, "Esc");
		assert_true(term_wait_gone(term, "End 2 leaked"));
		char *bar = term_line(term, 23);
		assert_string_equal(bar,
			" k kill 2 leaked  K kill  c cancel  E emergency  / filter  ? help  q "
			"quit");
		free(bar);
		term_press(term, "q");
		int status;
		assert_true(term_wait_exit(term, &status));
		assert_int_equal(status, 0);
		term_end(term);
	}
}

static void unknown_terminals(void **state)
{
	(void)state;
	static const char *const types[] = { "no-such-terminal", "dumb", "" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct term *term = set_start(
			&(struct term_options){ .width = 80, .height = 24, .type = types[i] }, NULL,
			NULL);
		struct termios before = term_modes(term);
		int status;
		assert_true(term_wait_exit(term, &status));
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 3);
		assert_true(term_shows(term, "TERM"));
		set_assert_restored(term, &before);
		term_end(term);
	}
}

static void other_locales_get_ascii(void **state)
{
	(void)state;
	struct term *term = set_open_in(
		&(struct term_options){ .width = 80, .height = 24, .locale = "C" }, NULL);
	static const char *const pages[] = { "Home", "?", "Esc k", "Esc Home Down Enter", "Esc l" };
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		term_press(term, pages[i]);
		assert_true(term_settle(term));
		struct term_screen *screen = term_copy(term);
		for (int y = 0; y < screen->height; y++)
			for (int x = 0; x < screen->width; x++)
				assert_in_range(term_cell(screen, x, y)->chars[0], 0x20, 0x7e);
		free(screen);
	}
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "LEAKED?"));
	set_quit(term);
}

#define HOSTILE_ROLE "漢字\033[2Jé\u0301 \u202egnp 漢字漢字漢字漢"

/* The caller ends it: as long as it is open its row can be looked at. */
static PGconn *enter_hostile(void)
{
	live_sql(server, "CREATE ROLE \"" HOSTILE_ROLE "\" LOGIN SUPERUSER");
	const char *const keywords[] = { "host", "port", "dbname", "user", "application_name",
		NULL };
	char port[16];
	snprintf(port, sizeof(port), "%d", private_server_port(server));
	/* 63 bytes and one more: the server cuts, in the middle of a character */
	static const char name[] =
		"\033]0;owned\007 0123456789 0123456789 0123456789 0123456789 012漢字漢";
	const char *const values[] = { "127.0.0.1", port, "postgres", HOSTILE_ROLE, name, NULL };
	PGconn *conn = PQconnectdbParams(keywords, values, 0);
	assert_int_equal(PQstatus(conn), CONNECTION_OK);
	live_exec(conn,
		"SELECT 'owned \033]0;owned\007\033[2J\033[1;1H\033c 漢字かな "
		"e\u0301\u0302\u0303 \u200b\u202e \x7f' AS \"a\nb\tc\r\"");
	return conn;
}

/* The heading's column is a blank, then text, in every row of the table. */
static void assert_column(struct term *term, const char *heading, const char *application)
{
	int x, y, row;
	assert_true(term_find(term, heading, &x, &y));
	assert_true(term_find(term, application, NULL, &row));
	struct term_screen *screen = term_copy(term);
	assert_int_equal(term_cell(screen, x - 1, row)->chars[0], ' ');
	assert_int_not_equal(term_cell(screen, x, row)->chars[0], ' ');
	assert_int_not_equal(term_cell(screen, x, row)->width, 0);
	free(screen);
}

static void hostile_names_move_nothing(void **state)
{
	(void)state;
	PGconn *conn = enter_hostile();
	struct term *term = set_open(200, 40, NULL);
	assert_true(term_wait_text(term, "漢字"));
	assert_true(term_settle(term));
	assert_null(strstr(term_title(term), "owned"));
	static const char *const headings[] = { "STATUS", "APPLICATION", "USER", "CLIENT",
		"QUERY, OR WHY" };
	for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
		assert_column(term, headings[i], "␛]0;owned");
		assert_column(term, headings[i], "SELECT 1 AS idle");
	}
	/* the last column stays free, and the header is where it was */
	struct term_screen *screen = term_copy(term);
	for (int y = 4; y < 30; y++)
		if (term_cell(screen, 199, y)->chars[0] != 0x2500)
			assert_int_equal(term_cell(screen, 199, y)->chars[0], ' ');
	free(screen);
	assert_true(term_shows(term, "8 of 25 used"));
	set_quit(term);
	PQfinish(conn);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(each_size_says_what_matters),
		LIVE_TEST(the_smallest_live),
		LIVE_TEST(a_late_frame_leaves_no_scrolling_region),
		LIVE_TEST(no_color_is_no_color),
		LIVE_TEST(colours_where_there_are),
		LIVE_TEST(known_terminals),
		LIVE_TEST(unknown_terminals),
		LIVE_TEST(other_locales_get_ascii),
		LIVE_TEST(hostile_names_move_nothing),
	};
	return SET_GROUP("terminals", tests);
}
