/* A key acts on what was on the screen: a plan that nobody can have read is not carried out. */
#include "set.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"

static struct term *term;

static int open_term(void **state)
{
	(void)state;
	term = set_open(120, 36, NULL);
	return 0;
}

static void assert_nothing_ended(void)
{
	assert_true(term_settle(term));
	assert_false(term_shows(term, "done:"));
	assert_int_equal(live_sessions(server, "application_name = 'forgetful'"), SET_LEAKS);
	assert_int_equal(live_sessions(server, "application_name = 'web'"), 3);
	assert_int_equal(live_sessions(server, "application_name = 'cruncher'"), 1);
}

/* Commands that people have on their clipboards. */
static void pasted_text_is_no_command(void **state)
{
	(void)state;
	static const char *const texts[] = { "k\r", "kill\n", "kubectl get pods\r",
		"kill -9 4711\r", "Estop\r", "q\r" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		term_paste(term, texts[i]);
		assert_true(term_wait_text(term, "pasted text is not taken as keys"));
		assert_false(term_shows(term, "leaked connections?"));
		assert_nothing_ended();
	}
	/* not even on a plan that was read */
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	term_paste(term, "\r");
	assert_true(term_wait_text(term, "pasted text is not taken as keys"));
	assert_true(term_shows(term, "End 2 leaked connections?"));
	assert_nothing_ended();
}

static void pasted_text_goes_where_text_is_typed(void **state)
{
	(void)state;
	term_press(term, "/");
	term_paste(term, "for\rgetful\n");
	assert_true(term_wait_text(term, "forgetful"));
	assert_true(term_wait_text(term, "2 of 7"));
	term_press(term, "Enter");
	assert_nothing_ended();
}

/* What is sent until release() comes to dbtop at once, however busy the machine is. */
static void hold(void)
{
	assert_int_equal(kill(term_pid(term), SIGSTOP), 0);
}

static void release(void)
{
	assert_int_equal(kill(term_pid(term), SIGCONT), 0);
}

/* One packet, as from a terminal without marks, or from a hurried hand over a slow line. */
static void what_was_typed_ahead_confirms_nothing(void **state)
{
	(void)state;
	static const char *const keys[] = { "k\r", "k\r\r\r", "K\r", "kill\r", "X\r" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		term_send(term, keys[i]);
		assert_nothing_ended();
		term_press(term, "Esc");
		assert_true(term_settle(term));
	}
}

#define DEMANDED (300 * USEC_PER_MSEC)

static bool has_answered(struct term *asked, void *data)
{
	(void)data;
	return term_shows(asked, "read it, then press Enter again") || term_shows(asked, "done:");
}

/* A machine may be so busy that the plan is on the screen for as long as dbtop demands before the
 * key comes. That tells nothing, and is tried again with new leaks. */
static void what_was_just_shown_is_not_confirmed(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		int64_t begin = instant_monotonic();
		term_press(term, "k");
		assert_true(term_wait_text(term, "End 2 leaked connections?"));
		term_press(term, "Enter");
		assert_true(term_wait(term, has_answered, NULL, "an answer to Enter"));
		if (!term_shows(term, "done:")) {
			assert_nothing_ended();
			return;
		}
		assert_true(instant_monotonic() - begin >= DEMANDED);
		term_press(term, "Esc");
		set_leak();
		assert_true(term_wait_text(term, "2 leaked"));
	}
	fail_msg("the machine is too busy to tell");
}

/* The second click meets the key bar of a page that the first one opened. */
static void a_double_click_confirms_nothing(void **state)
{
	(void)state;
	int x, y;
	assert_true(term_find(term, "kill 2 leaked", &x, &y));
	hold();
	for (int i = 0; i < 4; i++)
		term_click(term, x, y, 1);
	release();
	assert_nothing_ended();
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "leaked connections?"));
	term_press(term, "k");
	assert_true(term_wait_text(term, "Enter end 2"));
	assert_true(term_find(term, "Enter end 2", &x, &y));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "leaked connections?"));
	hold();
	term_press(term, "k");
	term_click(term, x, y, 1);
	release();
	assert_nothing_ended();
}

/* Each question needs to be seen: the plan, and then that it is more than the limit. */
static void the_second_question_is_seen_as_well(void **state)
{
	(void)state;
	term_end(term);
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "limit.yaml", "kill_limit: 1\n");
	term = set_open(110, 30, "--config", config, NULL);
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	term_read_plan(term);
	/* in one packet: the second is there before the question that the first brings up */
	term_send(term, "\r\r\r");
	assert_true(term_wait_text(term, "read it, then press Enter again"));
	assert_nothing_ended();
	/* a page that is closed by Enter does not confirm the one below it */
	term_press(term, "?");
	assert_true(term_wait_text(term, "Help"));
	term_send(term, "\r\r");
	assert_true(term_wait_gone(term, "Help"));
	assert_nothing_ended();
}

/* A busy machine reads several keys before it draws. G is the end of the list that the filter
 * before it leaves, not of the list on the screen: that ends with another application. */
static void keys_at_once_act_one_after_the_other(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "application_name=last");
	PGconn *conn = live_connect(conninfo);
	assert_true(term_wait_text(term, "test_screen_confirm"));
	term_send(term, "/web\rG ");
	assert_true(term_wait_text(term, "●"));
	term_send(term, " ");
	assert_true(term_wait_gone(term, "●"));
	term_press(term, "/ Esc Home");
	PQfinish(conn);
	assert_nothing_ended();
}

/* Enter must not end the session under the cursor instead. */
static void what_was_tagged_and_ended_is_not_replaced(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "application_name=brief");
	PGconn *conn = live_connect(conninfo);
	assert_true(term_wait_text(term, "brief"));
	term_press(term, "/ b r i e f Enter End Space");
	assert_true(term_wait_text(term, "●"));
	term_press(term, "/ Esc Home Down");
	/* its row is not on the screen in the middle of a frame that moves it */
	assert_true(term_settle(term));
	live_disconnect(conn);
	assert_true(term_wait_gone(term, "brief"));
	term_press(term, "K");
	assert_true(term_wait_text(term, "the tagged sessions have ended"));
	assert_nothing_ended();
	term_press(term, "K");
	assert_true(term_wait_text(term, "End 1 connection?"));
}

static void ask_for_the_plan(void)
{
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	term_confirm(term);
}

/* There is a folder with the name of the log of actions. This is the last test: it ends the
 * sessions. */
static void what_cannot_be_logged_is_asked_about(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *home = mem_printf("%s/unwritable", live_folder());
	CLEANUP(cleanup_free) char *folder = mem_printf("%s/dbtop", home);
	CLEANUP(cleanup_free) char *log = mem_printf("%s/actions.jsonl", folder);
	CLEANUP(cleanup_free) char *variable = mem_printf("XDG_STATE_HOME=%s", home);
	assert_int_equal(mkdir(home, 0700), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mkdir(log, 0700), 0);
	const char *const environment[] = { variable, NULL };
	term_end(term);
	term = set_open_in(
		&(struct term_options){ .width = 160, .height = 36, .environment = environment },
		NULL);
	ask_for_the_plan();
	assert_true(term_wait_text(term, "Enter again goes on"));
	assert_true(term_shows(term, "actions.jsonl"));
	assert_nothing_ended();
	/* Esc declines */
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "leaked connections?"));
	assert_nothing_ended();
	/* the emergency asks the same */
	term_press(term, "E");
	assert_true(term_wait_text(term, "type stop, then Enter:"));
	term_press(term, "s t o p");
	term_confirm(term);
	assert_true(term_wait_text(term, "Enter again goes on"));
	assert_nothing_ended();
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Emergency:"));
	/* a yes is one for this plan alone */
	ask_for_the_plan();
	assert_true(term_wait_text(term, "Enter again goes on"));
	assert_nothing_ended();
	term_confirm(term);
	assert_true(term_wait_text(term, "2 of 2"));
	live_wait_sessions(server, "application_name = 'forgetful'", 0, 10000);
	assert_int_equal(live_sessions(server, "application_name = 'web'"), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_term, live_group_clean_up)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(pasted_text_is_no_command),
		TEST(pasted_text_goes_where_text_is_typed),
		TEST(what_was_typed_ahead_confirms_nothing),
		TEST(what_was_just_shown_is_not_confirmed),
		TEST(a_double_click_confirms_nothing),
		TEST(the_second_question_is_seen_as_well),
		TEST(keys_at_once_act_one_after_the_other),
		TEST(what_was_tagged_and_ended_is_not_replaced),
		TEST(what_cannot_be_logged_is_asked_about),
	};
	return SET_GROUP("confirm", tests);
}
