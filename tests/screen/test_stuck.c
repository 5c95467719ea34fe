/* A terminal that takes no output stops nothing: keys act, signals end dbtop, and what was drawn
 * but has not gone out confirms nothing. */
#include "set.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define CONTINUE "\021" /* Ctrl-Q */

/* A plan that was on the screen for so long can be confirmed. */
#define SEEN_MS 400

static const struct term_options usual = { .width = 120, .height = 36 };

/* Each way to end, in a terminal that nobody reads, and in one that Ctrl-S stopped. */
static const struct {
	int signal_number; /* 0: q */
	int status;
	bool crash;
} ends[] = {
	{ 0, 0, false },
	{ SIGTERM, 128 + SIGTERM, false },
	{ SIGHUP, 128 + SIGHUP, false },
	{ SIGSEGV, SIGSEGV, true },
};

static void end_it(struct term *term, size_t i)
{
	int status;
	if (ends[i].signal_number)
		kill(term_pid(term), ends[i].signal_number);
	else
		term_send(term, "q");
	assert_true(term_wait_exit_unread(term, &status));
	assert_int_equal(ends[i].crash ? WTERMSIG(status) : WEXITSTATUS(status), ends[i].status);
}

static void it_ends(void (*make_stuck)(struct term *term))
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct term *term = set_start(&usual, NULL, NULL);
		struct termios before = term_modes(term);
		assert_true(term_wait_text(term, "2 leaked"));
		make_stuck(term);
		assert_true(term_is_blocking(term));
		end_it(term, i);
		assert_true(term_is_blocking(term));
		/* nothing that came before hides from the shell what it says now */
		term_read(term, 0);
		set_assert_restored(term, &before);
		term_end(term);
	}
}

static void it_ends_where_nobody_reads(void **state)
{
	(void)state;
	it_ends(term_fill);
}

static void it_ends_where_output_was_stopped(void **state)
{
	(void)state;
	it_ends(term_stop_output);
}

/* Long enough for the plan to be read, had anybody seen it. */
static void what_did_not_go_out_confirms_nothing(void **state)
{
	(void)state;
	struct term *term = set_open_in(&usual, NULL);
	term_stop_output(term);
	term_send(term, "k");
	assert_true(term_wait_taken_unread(term));
	(void)poll(NULL, 0, SEEN_MS);
	term_send(term, "\r");
	assert_true(term_wait_taken_unread(term));
	assert_false(term_shows(term, "leaked connections?"));
	term_send(term, CONTINUE);
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	assert_true(term_settle(term));
	assert_int_equal(live_sessions(server, "application_name = 'forgetful'"), SET_LEAKS);
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "leaked connections?"));
	set_quit(term);
}

/* What came meanwhile is shown at once, and not each frame of it. */
static void the_newest_state_is_shown_afterwards(void **state)
{
	(void)state;
	struct term *term = set_open_in(&usual, NULL);
	term_fill(term);
	term_send(term, "?");
	assert_true(term_wait_taken_unread(term));
	term_resize(term, 100, 30);
	assert_true(term_wait_text(term, "Help"));
	term_stop_output(term);
	term_press(term, "Esc / w e b Enter");
	assert_true(term_wait_taken_unread(term));
	term_send(term, CONTINUE);
	assert_true(term_wait_text(term, "3 of 7"));
	assert_true(term_settle(term));
	assert_false(term_shows(term, "Help"));
	set_quit(term);
}

/* Confirmed after it was seen: what the terminal does then stops no action. It takes the leaks away
 * that the other tests need. */
static void a_plan_that_was_read_is_carried_out(void **state)
{
	(void)state;
	struct term *term = set_open_in(&usual, NULL);
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	assert_true(term_settle(term));
	(void)poll(NULL, 0, SEEN_MS);
	term_fill(term);
	term_send(term, "\r");
	live_wait_sessions(server, "application_name = 'forgetful'", 0, TERM_TIMEOUT_MS);
	assert_true(term_is_full(term));
	assert_true(term_wait_text(term, "done:"));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "none leaked"));
	set_quit(term);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(it_ends_where_nobody_reads),
		LIVE_TEST(it_ends_where_output_was_stopped),
		LIVE_TEST(what_did_not_go_out_confirms_nothing),
		LIVE_TEST(the_newest_state_is_shown_afterwards),
		LIVE_TEST(a_plan_that_was_read_is_carried_out),
	};
	return SET_GROUP("stuck", tests);
}
