/* Each key of the main page does what the help says, on the screen and on the server. */
#include "set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/instant.h"

static struct term *term;

static int open_term(void **state)
{
	(void)state;
	term = set_open(120, 36, NULL);
	return 0;
}

static void press(const char *keys, const char *shows)
{
	term_press(term, keys);
	assert_true(term_wait_text(term, shows));
}

/* Confirms a plan. */
static void confirm(const char *shows)
{
	term_confirm(term);
	assert_true(term_wait_text(term, shows));
}

static void press_until_gone(const char *keys, const char *text)
{
	term_press(term, keys);
	assert_true(term_wait_gone(term, text));
}

static int column_of(const char *text)
{
	int x, y;
	assert_true(term_find(term, text, &x, &y));
	return x;
}

static void help(void **state)
{
	(void)state;
	press("?", "Help");
	assert_true(term_shows(term, "end the leaked; shows the plan first"));
	press_until_gone("Esc", "Help");
	press("F1", "Help");
	press_until_gone("q", "Help");
	assert_true(term_shows(term, "slots"));
}

#define AT_ONCE (400 * USEC_PER_MSEC)

/* ncurses would wait a second for the rest of a sequence, each time. The best of many: the machine
 * may be busy. */
static void escape_acts_at_once(void **state)
{
	(void)state;
	int64_t best = INT64_MAX;
	for (int i = 0; i < 50 && best >= AT_ONCE; i++) {
		press("?", "Help");
		int64_t begin = instant_monotonic();
		press_until_gone("Esc", "Help");
		int64_t took = instant_monotonic() - begin;
		best = took < best ? took : best;
	}
	assert_true(best < AT_ONCE);
}

/* In one packet, as a slow line delivers them. */
static void escape_and_a_key_are_two(void **state)
{
	(void)state;
	press("?", "Help");
	press("Esc ?", "Help");
	term_press(term, "Esc / w e b");
	assert_true(term_wait_text(term, "filter: web"));
	press_until_gone("Esc Esc", "filter: web");
}

static void filter(void **state)
{
	(void)state;
	press("/", "Esc shows all");
	press("w e b", "3 of 7");
	assert_false(term_shows(term, "cruncher"));
	press_until_gone("Enter", "Esc shows all");
	assert_true(term_shows(term, "filter: web"));
	press_until_gone("Esc", "filter: web");
	assert_true(term_wait_text(term, "cruncher"));
	press("/ x y z z y", "0 of 7");
	press("Backspace Backspace Backspace Backspace Backspace ! w e b", "4 of 7");
	press_until_gone("Esc", "of 7");
}

static void sort(void **state)
{
	(void)state;
	assert_true(term_shows(term, "STATUS↓"));
	press("s", "FOR↓");
	press("S", "FOR↑");
	press("S", "FOR↓");
	assert_false(term_shows(term, "STATUS↓"));
}

static void group(void **state)
{
	(void)state;
	assert_true(term_shows(term, "▾ live_client") || term_shows(term, "▾ "));
	press("g", "▾ forgetful");
	press("g", "▾ postgres");
	press("g", "▾ 127.0.0.1");
	press("g", "▾ postgres");
	press("g", "▾ in no pool");
	press_until_gone("g", "▾");
	press("g", "▾");
}

static void fold(void **state)
{
	(void)state;
	press("Home Left", "▸");
	press_until_gone("Right", "▸");
	press("Enter", "▸");
	press_until_gone("Enter", "▸");
}

/* The row under the cursor: it has a ground of its own. */
static int selected_row(void)
{
	assert_true(term_settle(term));
	struct term_screen *screen = term_copy(term);
	int found = -1;
	for (int y = 0; y < screen->height; y++)
		if (term_cell(screen, 5, y)->bg != TERM_COLOR_DEFAULT)
			found = y;
	free(screen);
	assert_true(found > 0);
	return found;
}

static int row_after(const char *keys)
{
	term_press(term, keys);
	return selected_row();
}

/* The set has fewer rows than a page: a page's way is all of it. */
static void moving(void **state)
{
	(void)state;
	int first = row_after("Home"), last = row_after("End");
	assert_true(last > first + 6);
	assert_int_equal(row_after("Up"), last - 1);
	assert_int_equal(row_after("Home Down"), first + 1);
	/* who moves down by j would move up by k, which ends sessions */
	assert_int_equal(row_after("j"), first + 1);
	assert_int_equal(row_after("Up Up"), first);
	static const char *const down[] = { "PgDn", "J", "Ctrl-d", "Ctrl-f", "G", "End" };
	static const char *const up[] = { "PgUp", "Ctrl-u", "Ctrl-b", "b", "<", "Home" };
	for (size_t i = 0; i < sizeof(down) / sizeof(down[0]); i++) {
		assert_int_equal(row_after(down[i]), last);
		assert_int_equal(row_after(up[i]), first);
	}
	/* where there are more rows than a page has, they move up */
	term_resize(term, 80, 15);
	assert_true(term_wait_text(term, " 1–"));
	press_until_gone("PgDn PgDn", " 1–");
	press("PgUp PgUp", " 1–");
}

/* Each has the way back that is everywhere. */
static void pages_open_and_close(void **state)
{
	(void)state;
	static const char *const opens[][3] = { { "E", "Emergency", "Emergency" },
		{ "Home w", "watching ", "armed: waits" }, { "P", "┌ Proxy", "┌ Proxy" },
		{ "a", "┌ Actions", "┌ Actions" }, { "m", "┌ Messages", "┌ Messages" } };
	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
		press(opens[i][0], opens[i][1]);
		assert_true(term_wait_text(term, "Esc"));
		press_until_gone("Esc", opens[i][2]);
		assert_true(term_wait_text(term, "q quit"));
	}
}

static void pause_and_pace(void **state)
{
	(void)state;
	press("p", "paused");
	press("p", "live");
	press("+", "live 0.5s");
	press("+", "live 1.0s");
	press("-", "live 0.5s");
}

static void tag(void **state)
{
	(void)state;
	press("Home Down Space", "●");
	press("K", "End 1 connection?");
	press_until_gone("Esc", "End 1");
	press("Space", "●");
	press("K", "End 2 connections?");
	press_until_gone("Esc", "End 2");
	press_until_gone("u", "●");
}

static void details(void **state)
{
	(void)state;
	press("Home Down Enter", "backend ");
	assert_true(term_shows(term, "LEAKED, presumed"));
	assert_true(term_shows(term, "in_transaction"));
	press_until_gone("Esc", "LEAKED, presumed");
}

static void locks(void **state)
{
	(void)state;
	press("l", "Nobody waits for a lock");
	press_until_gone("Esc", "Nobody waits");
}

/* "SELECT 1 AS in_transaction" in base64, as OSC 52 has it. */
static void copy(void **state)
{
	(void)state;
	term_press(term, "Home Down y");
	assert_true(term_settle(term));
	assert_non_null(strstr(term_command(term), "52;"));
	assert_non_null(strstr(term_command(term), "U0VMRUNUIDEgQVMgaW5fdHJhbnNhY3Rpb2"));
}

static void themes(void **state)
{
	(void)state;
	struct term_screen *before = term_copy(term);
	int x, y;
	term_press(term, "t");
	assert_true(term_settle(term));
	struct term_screen *after = term_copy(term);
	assert_false(term_screens_equal(before, after, &x, &y));
	assert_true(term_shows(term, "2 leaked"));
	free(before);
	free(after);
}

/* The cursor stays on its connection, wherever that goes. */
static void the_selection_stays(void **state)
{
	(void)state;
	term_press(term, "Home Down");
	assert_true(term_settle(term));
	press("Enter", "backend ");
	int x, y;
	assert_true(term_find(term, "backend ", &x, &y));
	char *line = term_line(term, y);
	char title[24];
	snprintf(title, sizeof(title), "%.14s", strstr(line, "backend "));
	free(line);
	press_until_gone("Esc", "LEAKED, presumed");
	term_press(term, "g s S");
	term_resize(term, 100, 30);
	assert_true(term_settle(term));
	press("Enter", title);
	press_until_gone("Esc", "LEAKED, presumed");
}

static void columns_are_straight(void **state)
{
	(void)state;
	assert_int_equal(column_of("QUERY, OR WHY"), column_of("SELECT 1 AS idle"));
	assert_int_equal(column_of("APPLICATION"), column_of("web  "));
}

static void every_quit_quits(void **state)
{
	(void)state;
	static const struct {
		const char *keys;
		int status;
	} quits[] = { { "q", 0 }, { "F10", 0 }, { "Ctrl-c", 130 }, { "/ w Ctrl-c", 130 },
		{ "? Ctrl-c", 130 }, { "k Esc q", 0 } };
	for (size_t i = 0; i < sizeof(quits) / sizeof(quits[0]); i++) {
		struct term *quitting = set_open(80, 24, NULL);
		int status;
		term_press(quitting, quits[i].keys);
		assert_true(term_wait_exit(quitting, &status));
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), quits[i].status);
		assert_false(term_is_alternate(quitting));
		term_end(quitting);
	}
}

static void a_plan_left_alone_ends_nothing(void **state)
{
	(void)state;
	press("k", "End 2 leaked connections?");
	press("Space", "end 1");
	press("a", "end 2");
	press("a", "[ ]");
	press_until_gone("Esc", "End 2 leaked");
	assert_int_equal(live_sessions(server, "application_name = 'forgetful'"), 2);
}

/* … and what was unticked is not ticked again. */
static void p_leaves_only_the_proven(void **state)
{
	(void)state;
	int gone = live_client_killed(live_group_conninfo(LIVE_TCP4, "application_name=gone"));
	char where[32];
	snprintf(where, sizeof(where), "pid = %d", gone);
	assert_true(term_wait_text(term, "3 leaked"));
	press("k", "End 3 leaked connections?");
	press("p", "end 1");
	press_until_gone("Space", "end 1");
	press("a", "end 3");
	press_until_gone("Home Space", "end 3");
	press_until_gone("p", "end 2");
	assert_false(term_shows(term, "[x]"));
	press("a", "end 3");
	press("p", "end 1");
	confirm("done: 1 of 1 ended");
	live_wait_sessions(server, where, 0, 10000);
	assert_int_equal(live_sessions(server, "application_name = 'forgetful'"), 2);
}

static void nothing_is_done_when_readonly(void **state)
{
	(void)state;
	struct term *looking = set_open(100, 30, "--readonly", NULL);
	term_press(looking, "k");
	assert_true(term_settle(looking));
	term_press(looking, "Enter");
	assert_true(term_settle(looking));
	term_press(looking, "K Enter c Enter");
	assert_true(term_settle(looking));
	assert_int_equal(live_sessions(server, NULL) >= 6, 1);
	assert_int_equal(live_sessions(server, "application_name = 'forgetful'"), 2);
	term_end(looking);
}

static void cancel(void **state)
{
	(void)state;
	press("/ c r u n c h Enter", "1 of 7");
	term_press(term, "End");
	press("c", "Cancel the query of 1 connection?");
	/* the key says what it does */
	assert_true(term_wait_text(term, "Enter cancel 1"));
	confirm("done: 1 of 1 cancelled");
	live_wait_sessions(server, "application_name = 'cruncher' AND state = 'active'", 0, 10000);
}

/* More than the limit a minute: the first Enter is answered with a question. */
static void the_limit_asks_again(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "limit.yaml", "kill_limit: 1\n");
	struct term *limited = set_open(110, 30, "--config", config, NULL);
	term_press(limited, "k");
	assert_true(term_wait_text(limited, "End 2 leaked connections?"));
	term_confirm(limited);
	assert_true(term_wait_text(limited, "the limit is 1: Enter again ends them"));
	assert_true(term_shows(limited, "End 2 leaked connections?"));
	/* another choice is asked about anew */
	term_press(limited, "Space Space");
	assert_true(term_wait_gone(limited, "the limit is 1"));
	term_press(limited, "a");
	term_confirm(limited);
	assert_true(term_wait_text(limited, "the limit is 1: Enter again ends them"));
	term_press(limited, "Esc");
	assert_true(term_wait_gone(limited, "End 2 leaked"));
	assert_int_equal(live_sessions(server, "application_name = 'forgetful'"), 2);
	term_end(limited);
}

/* The last one: what it ends is gone. */
static void the_leaked_are_ended_and_only_those(void **state)
{
	(void)state;
	press("k", "End 2 leaked connections?");
	press("Space", "end 1");
	confirm("done: 1 of 1 ended");
	assert_true(term_shows(term, "left alone"));
	live_wait_sessions(server, "application_name = 'forgetful'", 1, 10000);
	press("Enter", "1 leaked");
	press("k", "End 1 leaked connection?");
	confirm("done: 1 of 1 ended");
	press("Esc", "none leaked");
	live_wait_sessions(server, "application_name = 'forgetful'", 0, 10000);
	assert_int_equal(live_sessions(server, "application_name = 'web'"), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_term, live_group_clean_up)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(help),
		TEST(the_limit_asks_again),
		TEST(escape_acts_at_once),
		TEST(escape_and_a_key_are_two),
		TEST(filter),
		TEST(sort),
		TEST(group),
		TEST(fold),
		TEST(moving),
		TEST(pages_open_and_close),
		TEST(pause_and_pace),
		TEST(tag),
		TEST(details),
		TEST(locks),
		TEST(copy),
		TEST(themes),
		TEST(the_selection_stays),
		TEST(columns_are_straight),
		TEST(every_quit_quits),
		TEST(a_plan_left_alone_ends_nothing),
		TEST(p_leaves_only_the_proven),
		TEST(nothing_is_done_when_readonly),
		TEST(cancel),
		TEST(the_leaked_are_ended_and_only_those),
	};
	return SET_GROUP("keys", tests);
}
