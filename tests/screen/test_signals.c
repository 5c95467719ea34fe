/* However dbtop ends or stops, the terminal is the shell's again; and when it goes on, its own. */
#include "set.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* An end that dbtop chooses itself has a status; a crash stays the signal that it was. */
static const struct {
	int signal_number;
	bool crash;
} ends[] = {
	{ SIGTERM, false },
	{ SIGHUP, false },
	{ SIGINT, false },
	{ SIGQUIT, false },
	{ SIGSEGV, true },
	{ SIGBUS, true },
	{ SIGABRT, true },
};

static void the_terminal_is_given_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct term_options options = { .width = 80, .height = 24 };
		struct term *term = set_start(&options, NULL, NULL);
		struct termios before = term_modes(term);
		int status;
		assert_true(term_wait_text(term, "2 leaked"));
		assert_true(term_is_alternate(term));
		assert_false(term_cursor_visible(term));
		kill(term_pid(term), ends[i].signal_number);
		assert_true(term_wait_exit(term, &status));
		if (ends[i].crash) {
			assert_true(WIFSIGNALED(status));
			assert_int_equal(WTERMSIG(status), ends[i].signal_number);
			assert_true(term_shows(term, "dbtop crashed"));
		} else {
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), 128 + ends[i].signal_number);
		}
		set_assert_restored(term, &before);
		term_end(term);
	}
}

/* The key bar, or the dialog's, is at the lower edge, however high the window is. */
static bool fills_window(struct term *term, void *data)
{
	(void)data;
	int y, height = 36;
	return (term_find(term, "q quit", NULL, &y) && y == height - 1) ||
		(term_find(term, "Esc close", NULL, &y) && y > height - 4);
}

/* Stopped on this page in one size, and continued in another. */
static void stop_and_go_on(const char *key, const char *shows)
{
	/* dbtop as a job of a shell that takes the terminal when the job stops, and continues it at
	 * the next line; in a terminal of its own it would be nobody's job */
	static const char script[] = "set -m; \"$@\"; echo the shell; read -r _; fg";
	const struct term_options options = { .width = 80, .height = 24 };
	struct term *term = set_start_by(
		&options, (const char *const[]){ "/bin/bash", "-c", script, "job", NULL });
	struct termios before = term_modes(term);
	int status;
	assert_true(term_wait_text(term, "2 leaked"));
	term_press(term, key);
	assert_true(term_wait_text(term, shows));
	term_press(term, "Ctrl-z");
	assert_true(term_wait_text(term, "the shell"));
	set_assert_restored(term, &before);
	term_resize(term, 120, 36);
	term_press(term, "Enter");
	assert_true(term_wait_text(term, shows));
	assert_true(term_is_alternate(term));
	assert_false(term_cursor_visible(term));
	assert_true(term_wait(term, fills_window, NULL, "the keys at the lower edge"));
	term_press(term, "Esc q");
	assert_true(term_wait_exit(term, &status));
	set_assert_restored(term, &before);
	term_end(term);
}

static void it_stops_and_goes_on(void **state)
{
	(void)state;
	stop_and_go_on("Home", "2 leaked");
	stop_and_go_on("?", "Help");
}

/* As under ssh -t: no shell is there to continue it. */
static void where_no_shell_waits_it_does_not_stop(void **state)
{
	(void)state;
	struct term *term = set_open(80, 24, NULL);
	for (int round = 0; round < 3; round++) {
		term_press(term, "Ctrl-z");
		term_press(term, "?");
		assert_true(term_wait_text(term, "Help"));
		assert_true(term_is_alternate(term));
		kill(term_pid(term), SIGTSTP);
		assert_true(term_settle(term));
		term_press(term, "Esc");
		assert_true(term_wait_gone(term, "Help"));
		assert_true(term_settle(term));
		assert_true(term_is_alternate(term));
	}
	set_quit(term);
}

/* SIGSTOP is not heard of before; meanwhile the shell had the terminal. */
static void it_draws_afresh_after_a_surprise(void **state)
{
	(void)state;
	struct term *term = set_open(80, 24, NULL);
	kill(term_pid(term), SIGSTOP);
	assert_true(term_wait_stop(term));
	size_t written = term_written(term);
	kill(term_pid(term), SIGCONT);
	assert_true(term_settle(term));
	assert_true(term_written(term) > written + 500);
	assert_true(term_shows(term, "2 leaked"));
	set_quit(term);
}

static void a_closed_window_ends_it(void **state)
{
	(void)state;
	struct term *term = set_open(80, 24, NULL);
	int status;
	term_hang_up(term);
	assert_true(term_wait_exit(term, &status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 128 + SIGHUP);
	term_end(term);
}

static void sizes_change_at_any_moment(void **state)
{
	(void)state;
	static const int sizes[][2] = { { 1, 1 }, { 200, 50 }, { 3, 60 }, { 500, 200 }, { 30, 8 },
		{ 40, 12 }, { 80, 24 } };
	struct term *term =
		set_start(&(struct term_options){ .width = 100, .height = 30 }, NULL, NULL);
	/* from its first moment on, before it has a screen */
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			term_resize(term, sizes[i][0], sizes[i][1]);
	assert_true(term_wait_text(term, "2 leaked"));
	assert_true(term_settle(term));
	char *line = term_line(term, 23);
	assert_non_null(strstr(line, "quit"));
	free(line);
	set_quit(term);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(the_terminal_is_given_back),
		LIVE_TEST(it_stops_and_goes_on),
		LIVE_TEST(where_no_shell_waits_it_does_not_stop),
		LIVE_TEST(it_draws_afresh_after_a_surprise),
		LIVE_TEST(a_closed_window_ends_it),
		LIVE_TEST(sizes_change_at_any_moment),
	};
	return SET_GROUP("signals", tests);
}
