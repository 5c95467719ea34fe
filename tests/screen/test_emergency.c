/* E on a real server: which processes would be stopped, the word, each step, the report when it is
 * interrupted, and what the dashboard says of a role's rights. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "set.h"

static const struct live_program_options stubbornly = {
	.env = (const char *const[]){ "LIVE_CLIENT_STUBBORN=1", NULL },
};

static struct term *open_dashboard(const char *more, const char *option, const char *value)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, more);
	return term_start(&(struct term_options){ .width = 120, .height = 40 },
		(const char *const[]){
			live_dbtop_path(), "-i", "0.2", conninfo, option, value, NULL });
}

/* The server lets nobody in but superusers. */
static void a_full_server_is_freed_by_a_word(void **state)
{
	(void)state;
	struct live_program *first = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "12");
	struct live_program *second = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "10");
	struct term *term = open_dashboard("user=app", NULL, NULL);
	assert_true(term_wait_text(term, "The server is full"));
	assert_true(term_wait_text(term, "E (--emergency) stops the application"));
	assert_true(term_wait_text(term, "12 connections"));
	/* nothing is reported of sessions that nobody could see */
	static const char *const keys[] = { "k", "c", "K" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		term_press(term, keys[i]);
		assert_true(term_wait_text(term, "cannot tell: not connected: "));
		term_press(term, "t");
		assert_true(term_wait_gone(term, "cannot tell"));
	}
	term_press(term, "E");
	assert_true(term_wait_text(term, "Emergency: stop 2 processes with 22 connections?"));
	assert_true(term_wait_text(term, "found by their sockets"));
	/* the command is shorter where the rest has no room */
	term_resize(term, 80, 24);
	assert_true(term_wait_text(term, "live_client … · 12 connections"));
	term_resize(term, 120, 40);
	/* neither Enter alone nor another word confirms; letters are typed, and run no command */
	term_press(term, "Enter q k Enter");
	assert_true(term_wait_text(term, "type stop, then Enter: qk"));
	assert_true(live_running(first) && live_running(second));
	term_press(term, "Backspace Backspace s t o p");
	term_confirm(term);
	assert_true(term_wait_text(term, "Emergency: done"));
	assert_true(term_wait_text(term, "no connection left"));
	assert_true(term_wait_text(term, "1. free a slot"));
	assert_true(term_wait_text(term, "2 of 2 ended"));
	assert_int_equal(live_finish(first, 5000), 128 + SIGTERM);
	assert_int_equal(live_finish(second, 5000), 128 + SIGTERM);
	live_wait_sessions(server, "application_name = 'leaky'", 0, 5000);
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Emergency: done"));
	assert_true(term_wait_text(term, "1 of 25 used"));
	term_end(term);
}

static void ctrl_c_in_the_middle_reports_what_was_done(void **state)
{
	(void)state;
	struct live_program *stubborn =
		live_group_app(&stubbornly, LIVE_TCP4, "stubborn", "idle", "2");
	struct live_program *obedient = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "1");
	CLEANUP(cleanup_free)
	char *config = live_file(live_folder(), "slow.yaml", "emergency: {grace: 1h}\n");
	struct term *term = open_dashboard("user=app", "--config", config);
	assert_true(term_wait_text(term, "stubborn"));
	/* no row: all are ticked */
	term_press(term, "/ n o n e Enter E");
	assert_true(term_wait_text(term, "Emergency: stop 2 processes with 3 connections?"));
	term_press(term, "s t o p");
	term_confirm(term);
	assert_true(term_wait_text(term, "1 of 2 ended"));
	assert_int_equal(live_finish(obedient, 5000), 128 + SIGTERM);
	/* the page can be left, and comes back */
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "1 of 2 ended"));
	term_press(term, "E");
	assert_true(term_wait_text(term, "1 of 2 ended"));
	term_press(term, "Ctrl-C");
	int status;
	assert_true(term_wait_exit(term, &status));
	assert_true(WIFEXITED(status));
	assert_true(term_wait_text(term, "stopped 1 of 2 processes"));
	assert_true(term_wait_text(term, "interrupted: SIGTERM was sent"));
	assert_true(live_running(stubborn));
	term_end(term);
}

/* The dashboard is left while a session that was signalled does not end. */
static void what_was_signalled_is_reported_after_the_end(void **state)
{
	(void)state;
	struct live_program *app = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "1");
	int stuck = 0;
	assert_int_equal(sscanf(live_out(app), "pid %d", &stuck), 1);
	live_wait_sessions(
		server, "state_change > clock_timestamp() - interval '200 ms'", 0, 10000);
	struct term *term = open_dashboard("user=app", "--idle-limit", "0.1");
	assert_true(term_wait_text(term, "idle too long"));
	assert_int_equal(kill(stuck, SIGSTOP), 0);
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 1 leaked connection?"));
	term_confirm(term);
	assert_true(term_wait_text(term, "0 of 1 done"));
	term_press(term, "Ctrl-C");
	int status;
	assert_true(term_wait_exit(term, &status));
	assert_int_equal(kill(stuck, SIGCONT), 0);
	assert_true(WIFEXITED(status));
	assert_true(term_wait_text(term, "ended 0 of 1 leaked connection"));
	assert_true(term_wait_text(term, "interrupted"));
	term_end(term);
}

/* On a row it is aimed at that process; Space and * choose others. */
static void it_is_aimed_at_a_row_and_unticked(void **state)
{
	(void)state;
	struct live_program *first = live_group_app(NULL, LIVE_TCP4, "first", "idle", "1");
	struct live_program *second = live_group_app(NULL, LIVE_TCP4, "second", "idle", "2");
	struct term *term = open_dashboard("user=app", NULL, NULL);
	assert_true(term_wait_text(term, "first"));
	assert_true(term_wait_text(term, "second"));
	CLEANUP(cleanup_free)
	char *only =
		mem_printf("only live_client (%d) is ticked; * ticks all 2", (int)live_pid(second));
	term_press(term, "/ s e c o n d Enter");
	assert_true(term_wait_text(term, "filter: second"));
	/* the cursor is on the line of the process; then on a session of it */
	static const char *const ways[] = { "E", "Down E" };
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		term_press(term, ways[i]);
		assert_true(term_wait_text(term, "Emergency: stop 1 process with 2 connections?"));
		assert_true(term_wait_text(term, only));
		term_press(term, "Esc");
		assert_true(term_wait_gone(term, "Emergency:"));
	}
	/* without a row all are ticked */
	term_press(term, "/ Esc / n o n e Enter");
	assert_true(term_wait_text(term, "filter: none"));
	term_press(term, "E");
	assert_true(term_wait_text(term, "Emergency: stop 2 processes with 3 connections?"));
	assert_false(term_shows(term, "ticked"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Emergency:"));
	term_press(term, "/ Esc / s e c o n d Enter");
	assert_true(term_wait_text(term, "filter: second"));
	term_press(term, "E");
	assert_true(term_wait_text(term, only));
	term_press(term, "*");
	assert_true(term_wait_text(term, "Emergency: stop 2 processes with 3 connections?"));
	term_press(term, "*");
	assert_true(term_wait_gone(term, "Emergency: stop"));
	term_press(term, "s t o p");
	term_confirm(term);
	assert_true(term_wait_text(term, "nothing is ticked"));
	/* the cursor is on the prompt; a blank line, a heading and the process with more
	 * connections follow */
	term_press(term, "Down Down Down Space");
	assert_true(term_wait_text(term, "Emergency: stop 1 process with 2 connections?"));
	term_confirm(term);
	assert_true(term_wait_text(term, "Emergency: done"));
	assert_true(term_wait_text(term, "left alone"));
	CLEANUP(cleanup_free) char *unticked = mem_printf("%d  live_client", (int)live_pid(first));
	assert_true(term_shows(term, unticked));
	assert_int_equal(live_finish(second, 5000), 128 + SIGTERM);
	assert_true(live_running(first));
	term_end(term);
}

static void a_roles_limit_is_no_full_server(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(server, LIVE_TCP4, "user=narrow");
	struct live_program *app = live_client(conninfo, "idle", "2", NULL);
	struct term *term = open_dashboard("user=narrow", NULL, NULL);
	assert_true(term_wait_text(term, "reached its connection limit"));
	assert_false(term_shows(term, "FULL"));
	assert_true(term_wait_text(term, "connect as another one (-U, or user=)"));
	term_press(term, "E");
	assert_true(term_wait_text(term, "the server has room"));
	assert_true(term_wait_text(term, "[ ]"));
	/* A narrow screen shows the whole sentence, and Space ticks what the cursor is on. */
	term_resize(term, 80, 24);
	assert_true(term_wait_text(term, "│ connect as another one (-U, or user=)"));
	for (int i = 0; i < 12 && !term_shows(term, "[x]"); i++) {
		term_press(term, "Space Down");
		assert_true(term_settle(term));
	}
	assert_true(term_shows(term, "[x]"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "the server has room: only"));
	assert_true(live_running(app));
	term_end(term);
}

static void readonly_opens_no_page(void **state)
{
	(void)state;
	struct live_program *app = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "1");
	struct term *term = open_dashboard("user=app", "--readonly", NULL);
	assert_true(term_wait_text(term, "leaky"));
	term_press(term, "E");
	assert_true(term_wait_text(term, "read-only: no action is possible"));
	assert_false(term_shows(term, "Emergency:"));
	assert_true(live_running(app));
	term_end(term);
}

static void the_missing_grant_is_reported_at_start_and_in_the_help(void **state)
{
	(void)state;
	struct term *term = open_dashboard("user='Watch er'", NULL, NULL);
	term_resize(term, 80, 24);
	assert_true(term_wait_text(term,
		"only its own sessions: GRANT pg_monitor, pg_signal_backend TO \"Watch er\";"));
	term_press(term, "?");
	assert_true(term_settle(term));
	term_press(term, "End");
	assert_true(term_wait_text(term, "GRANT pg_monitor TO \"Watch er\";"));
	assert_true(term_wait_text(term, "GRANT pg_signal_backend TO \"Watch er\";"));
	term_end(term);
	term = open_dashboard(NULL, NULL, NULL);
	assert_true(term_wait_text(term, "dbtop's own"));
	assert_false(term_shows(term, "this role"));
	term_press(term, "?");
	assert_true(term_settle(term));
	term_press(term, "End");
	assert_true(term_wait_text(term, "This role"));
	assert_false(term_shows(term, "GRANT"));
	term_end(term);
}

static void a_log_that_fails_is_reported(void **state)
{
	(void)state;
	struct term *term = open_dashboard(NULL, "--log", "/dev/full");
	assert_true(term_wait_text(
		term, "the log /dev/full cannot be written: No space left on device"));
	assert_true(term_wait_text(term, "slots"));
	term_end(term);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_full_server_is_freed_by_a_word),
		LIVE_TEST(ctrl_c_in_the_middle_reports_what_was_done),
		LIVE_TEST(what_was_signalled_is_reported_after_the_end),
		LIVE_TEST(it_is_aimed_at_a_row_and_unticked),
		LIVE_TEST(a_roles_limit_is_no_full_server),
		LIVE_TEST(readonly_opens_no_page),
		LIVE_TEST(the_missing_grant_is_reported_at_start_and_in_the_help),
		LIVE_TEST(a_log_that_fails_is_reported),
	};
	return LIVE_GROUP("emergency", tests,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE \"Watch er\" LOGIN;"
		       "CREATE ROLE narrow LOGIN CONNECTION LIMIT 2");
}
